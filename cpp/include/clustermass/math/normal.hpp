#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "clustermass/core/macros.hpp"

/// Standard normal numbers in float32, with the same bits on every backend: only + - * sqrt in a fixed order, each
/// correctly rounded (IEEE 754), so files that use this are compiled without contraction to fused multiply-add.
namespace clustermass::math {

template <class To, class From>
CM_HD To same_bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

struct NormalPair {
    float first, second;
};

/// sqrt(-2 ln u) for u = (h + 1/2) / 2^31, h = word >> 1. From 2.2e-5 (u = 1 - 2^-32) to 6.66 (u = 2^-32).
/// Relative error below 1.6e-7 (worst of all words).
CM_HD float normal_radius(std::uint32_t word) {
    constexpr std::int32_t kSqrtHalf = 0x3f3504f3;  // bits of sqrt(1/2): mantissas run from there to sqrt(2)
    constexpr float kTwoLn2 = 1.38629436111989061883f;
    const float scaled = static_cast<float>(static_cast<std::int32_t>(word >> 1)) + 0.5f;  // 2^31 u
    const std::int32_t bits = same_bits<std::int32_t>(scaled);
    const std::int32_t exponent = (bits - kSqrtHalf) >> 23;
    // Above sqrt(1/2), u - 1 has more bits than u rounded to a float.
    const std::int32_t to_one = 0x7fffffff - static_cast<std::int32_t>(word >> 1);
    const float near_one = (static_cast<float>(to_one) + 0.5f) * -0x1p-31f;
    const float f = exponent == 31 ? near_one : same_bits<float>(bits - exponent * (1 << 23)) - 1.0f;
    // -2 ln(1 + f) = -2 f + f^2 (1 + f P(f)): minimax P of degree 6 on [sqrt(1/2), sqrt(2)] - 1.
    float p = -0.17400802671909332f;
    p = p * f + 0.2853386402130127f;
    p = p * f - 0.2982901632785797f;
    p = p * f + 0.33155304193496704f;
    p = p * f - 0.399262011051178f;
    p = p * f + 0.5000267028808594f;
    p = p * f - 0.6666781902313232f;
    p = p * f + 1.0f;
    const float minus_two_log = (p * (f * f) - (f + f)) + static_cast<float>(31 - exponent) * kTwoLn2;
    return std::sqrt(minus_two_log);
}

/// Two independent standard normal numbers from two random words (Box & Muller 1958). The second word gives the
/// direction: its low 30 bits an angle within 45 degrees of an axis, its high two bits which axis and which side.
/// Relative error below 4.6e-7 (worst of all words: radius 1.6e-7, direction 2.4e-7; product 0.6e-7). |x| <= 6.66: a
/// normal number is beyond that once in 4e10 draws. Never 0.
CM_HD NormalPair normal_pair(std::uint32_t radius_word, std::uint32_t angle_word) {
    const float radius = normal_radius(radius_word);
    // x in (-1, 1), symmetric about 0 and never 0: angle = x pi / 4.
    const float x = static_cast<float>(static_cast<std::int32_t>((angle_word << 2) | 2u)) * 0x1p-31f;
    const float q = x * x;
    const float sine = x * (0.7853981852531433f +
                            q * (-0.08074583113193512f + q * (0.0024910164065659046f + q * -3.660915172076784e-05f)));
    const float cosine = 1.0f + q * (-0.3084244132041931f + q * (0.01585014909505844f + q * -0.0003189770213793963f));
    const float along = radius * same_bits<float>(same_bits<std::uint32_t>(cosine) ^ ((angle_word << 1) & 0x80000000u));
    const float across = radius * sine;
    const bool is_second_axis = static_cast<std::int32_t>(angle_word) < 0;
    return {is_second_axis ? across : along, is_second_axis ? along : across};
}

}  // namespace clustermass::math
