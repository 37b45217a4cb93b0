#pragma once
#include <cstdint>
#include <cstring>

#include "clustermass/core/macros.hpp"
#include "clustermass/core/philox.hpp"
#include "clustermass/core/vector.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

/// Philox on many counters at once, for loops that are compiled once per instruction set.
namespace clustermass::CM_ISA {

inline constexpr int kPhiloxLanes = kLanes<std::uint64_t>;

using Lanes64 = Vector<std::uint64_t>;
using Lanes32 = std::uint32_t __attribute__((vector_size(4 * kPhiloxLanes)));

/// Products of the low halves of each lane. GCC does not find this instruction by itself: it multiplies 64 by 64 bits,
/// which made the generator 1.3 times slower where measured, so this is the one place with intrinsics.
CM_HD Lanes64 multiply_low_halves(Lanes64 a, Lanes64 b) {
#if defined(__AVX512F__)
    // All lanes kept: the unmasked form makes GCC 12 warn of a value used before it is set.
    return reinterpret_cast<Lanes64>(
        _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
    return reinterpret_cast<Lanes64>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
    return reinterpret_cast<Lanes64>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
    const Lanes64 low = Lanes64{} + 0xffffffffu;
    return (a & low) * (b & low);
#endif
}

struct VectorLanes {
    using Word = Lanes64;
    static CM_HD Word multiply(Word a, std::uint32_t b) { return multiply_low_halves(a, Word{} + std::uint64_t(b)); }
};

CM_HD Lanes64 load_words(const std::uint32_t* from) {
    Lanes32 words;
    std::memcpy(&words, from, sizeof words);
    return __builtin_convertvector(words, Lanes64);
}

CM_HD void store_words(std::uint32_t* to, Lanes64 lanes) {
    const Lanes32 words = __builtin_convertvector(lanes, Lanes32);
    std::memcpy(to, &words, sizeof words);
}

/// 0, 1, 2, ... per lane.
CM_HD Lanes64 lane_numbers() {
    Lanes64 numbers{};
    for (int i = 0; i < kPhiloxLanes; ++i) numbers[i] = std::uint64_t(i);
    return numbers;
}

/// Counters that are worked on together: enough to hide the latency of the multiplications.
inline constexpr int kPhiloxGroups = 4;
inline constexpr int kPhiloxBatch = kPhiloxGroups * kPhiloxLanes;

/// State of kPhiloxBatch counters; word w of counter i is lane i % kPhiloxLanes of x<w>[i / kPhiloxLanes].
struct PhiloxBatch {
    Lanes64 x0[kPhiloxGroups], x1[kPhiloxGroups], x2[kPhiloxGroups], x3[kPhiloxGroups];

    CM_HD void run(PhiloxKey key) { philox_rounds<VectorLanes>(x0, x1, x2, x3, key); }

    /// Write words 0 and 1 of each counter to `first`, words 2 and 3 to `second`.
    CM_HD void store_halves(std::uint32_t* first, std::uint32_t* second) const {
        for (int g = 0; g < kPhiloxGroups; ++g) {
            const Lanes64 a = join(x0[g], x1[g]), b = join(x2[g], x3[g]);
            std::memcpy(first + 2 * kPhiloxLanes * g, &a, sizeof a);
            std::memcpy(second + 2 * kPhiloxLanes * g, &b, sizeof b);
        }
    }

    /// Write the four words of each counter, in order.
    CM_HD void store(std::uint32_t* words) const {
        for (int g = 0; g < kPhiloxGroups; ++g) {
            const Lanes64 a = join(x0[g], x1[g]), b = join(x2[g], x3[g]);
            const Lanes64 out[2] = {interleave<0>(a, b, All{}), interleave<kPhiloxLanes / 2>(a, b, All{})};
            std::memcpy(words + 4 * kPhiloxLanes * g, out, sizeof out);
        }
    }

private:
    using All = typename CountLanes<kPhiloxLanes>::type;

    /// Lanes `First`, `First` + 1 ... of a and b in turn.
    template <int First, int... I>
    static CM_HD Lanes64 interleave(Lanes64 a, Lanes64 b, Lanes<I...>) {
        return __builtin_shufflevector(a, b, (First + I / 2 + (I % 2) * kPhiloxLanes)...);
    }
    static CM_HD Lanes64 join(Lanes64 even, Lanes64 odd) { return (even & (Lanes64{} + 0xffffffffu)) | (odd << 32); }
};

}  // namespace clustermass::CM_ISA
