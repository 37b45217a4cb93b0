#pragma once
#include <cstdint>

#include "clustermass/core/vector.hpp"
#include "clustermass/math/exp2.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

/// Powers of two of parabolas, a vector of cells at a time. Exponents are worked out in float64 for both types: parts
/// of them cancel, and an exponent of 30 in float32 would cost the result two digits.
namespace clustermass::CM_ISA {

template <class Real>
struct Power;

/// The larger of each lane. GCC makes two instructions of a comparison, since it minds NaN, which does not come here.
CM_HD Vector<double> at_least(Vector<double> lowest, Vector<double> v) {
#if defined(__AVX512F__)
    return reinterpret_cast<Vector<double>>(
        _mm512_maskz_max_pd(0xff, reinterpret_cast<__m512d>(v), reinterpret_cast<__m512d>(lowest)));
#elif defined(__AVX2__)
    return reinterpret_cast<Vector<double>>(
        _mm256_max_pd(reinterpret_cast<__m256d>(v), reinterpret_cast<__m256d>(lowest)));
#else
    return v > lowest ? v : lowest;
#endif
}

/// Vectors of doubles as one vector of Real.
using Halves = float __attribute__((vector_size(kVectorBytes / 2)));
template <int... I>
CM_HD Vector<float> side_by_side(Halves low, Halves high, Lanes<I...>) {
    return __builtin_shufflevector(low, high, I...);
}
CM_HD Vector<float> joined(const Vector<double> (&parts)[2], float) {
    return side_by_side(__builtin_convertvector(parts[0], Halves), __builtin_convertvector(parts[1], Halves),
                        typename CountLanes<kLanes<float>>::type{});
}
CM_HD Vector<double> joined(const Vector<double> (&parts)[1], double) { return parts[0]; }

/// A vector of sums in the type of the grid.
CM_HD Vector<float> rounded(const float* from, float) { return load(from); }
CM_HD Vector<double> rounded(const double* from, double) { return load(from); }
CM_HD Vector<float> rounded(const double* from, float) {
    const Vector<double> parts[2] = {load(from), load(from + kLanes<double>)};
    return joined(parts, float{});
}

/// Adding kShift leaves the exponent in fixed point, 23 bits after the point, in the low half of the double: whole
/// part and fraction are then where a float has its exponent and its mantissa.
template <>
struct Power<float> {
    static constexpr double kShift = 0x1.8p+29, kLowest = -126.0;  // 1.5 x 2^29
    static constexpr int kHalf = kLanes<double>;
    using Ints = std::int32_t __attribute__((vector_size(kVectorBytes)));
    using Pairs = typename CountLanes<kLanes<float>>::type;
    Vector<double> k_low, k_high, square_low, square_high;  // cell, and its share of the parabola

    CM_HD void start(double first_cell, double curvature) {
        for (int i = 0; i < kHalf; ++i) k_low[i] = first_cell + i;
        k_high = k_low + double(kHalf);
        square_low = k_low * k_low * (-0.5 * curvature);
        square_high = k_high * k_high * (-0.5 * curvature);
    }
    /// 2^(constant + slope k - curvature k^2 / 2), 0 below the smallest normal number; kShift is in the constant.
    CM_HD Vector<float> operator()(double shifted_constant, double slope) const {
        const Vector<double> lowest = Vector<double>{} + (kShift + kLowest);
        Vector<double> low = k_low * slope + square_low + shifted_constant;
        Vector<double> high = k_high * slope + square_high + shifted_constant;
        low = at_least(lowest, low);
        high = at_least(lowest, high);
        const Ints fixed = even(reinterpret_cast<Ints>(low), reinterpret_cast<Ints>(high), Pairs{});
        const Vector<float> fraction = reinterpret_cast<Vector<float>>((fixed & 0x7fffff) | 0x3f800000) - 1.5f;
        const auto mantissa = reinterpret_cast<Ints>(math::exp2_plus_half(fraction));
        const Ints result = mantissa + (fixed & ~0x7fffff);
        return reinterpret_cast<Vector<float>>(fixed > -126 * 0x800000 ? result : Ints{});
    }

private:
    template <int... I>
    static CM_HD Ints even(Ints a, Ints b, Lanes<I...>) {
        return __builtin_shufflevector(a, b, (2 * I)...);
    }
};

template <>
struct Power<double> {
    static constexpr double kShift = 0, kLowest = -1022.0;
    using Ints = std::int64_t __attribute__((vector_size(kVectorBytes)));
    Vector<double> k, square;

    CM_HD void start(double first_cell, double curvature) {
        for (int i = 0; i < kLanes<double>; ++i) k[i] = first_cell + i;
        square = k * k * (-0.5 * curvature);
    }
    CM_HD Vector<double> operator()(double constant, double slope) const { return of(k * slope + square + constant); }

    /// 2^x, 0 below the smallest normal number.
    static CM_HD Vector<double> of(Vector<double> x) {
        constexpr double kToInteger = 0x1.8p+52;
        const Vector<double> lowest = Vector<double>{} + kLowest;
        x = at_least(lowest, x);
        const Vector<double> shifted = x + kToInteger;
        const Vector<double> power = math::exp2_near_zero(x - (shifted - kToInteger));
        const Ints result = reinterpret_cast<Ints>(power) + (reinterpret_cast<Ints>(shifted) << 52);
        return reinterpret_cast<Vector<double>>(x > lowest ? result : Ints{});
    }
};

/// sums(rows x 3 vectors or fewer) = transpose(a) b over n points, or that much more: a block of rows of the grid held
/// in registers.
template <class Real, int Rows, int Cols>
CM_HD void multiply_block(const Real* a, std::int64_t a_stride, const Real* b, std::int64_t b_stride, std::int64_t n,
                          Real* sums, std::int64_t stride, bool adds) {
    constexpr int L = kLanes<Real>;
    Vector<Real> sum[Rows][Cols] = {};
    for (std::int64_t i = 0; i < n; ++i, a += a_stride, b += b_stride) {
        Vector<Real> right[Cols];
        for (int c = 0; c < Cols; ++c) right[c] = load(b + c * L);
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 3
            for (int c = 0; c < Cols; ++c) sum[r][c] += a[r] * right[c];
    }
    for (int r = 0; r < Rows; ++r)
        for (int c = 0; c < Cols; ++c) {
            Real* const to = sums + r * stride + c * L;
            store(to, adds ? load(to) + sum[r][c] : sum[r][c]);
        }
}

inline constexpr int kBlockRows = kVectorRegisters >= 32 ? 8 : 4;

/// The product for all rows of the tile and `Cols` vectors of columns, in blocks of about the same height.
template <class Real, int Cols>
CM_HD void multiply_columns(const Real* a, std::int64_t a_stride, const Real* b, std::int64_t b_stride, std::int64_t n,
                            Real* sums, std::int64_t stride, std::int64_t rows, bool adds) {
    const std::int64_t n_blocks = (rows + kBlockRows - 1) / kBlockRows;
    for (std::int64_t block = 0, row = 0; block < n_blocks; ++block) {
        const std::int64_t height = (rows - row + n_blocks - block - 1) / (n_blocks - block);
        Real* const to = sums + row * stride;
        switch (height) {
            case 1: multiply_block<Real, 1, Cols>(a + row, a_stride, b, b_stride, n, to, stride, adds); break;
            case 2: multiply_block<Real, 2, Cols>(a + row, a_stride, b, b_stride, n, to, stride, adds); break;
            case 3: multiply_block<Real, 3, Cols>(a + row, a_stride, b, b_stride, n, to, stride, adds); break;
            case 4: multiply_block<Real, 4, Cols>(a + row, a_stride, b, b_stride, n, to, stride, adds); break;
            case 5:
                multiply_block < Real, kBlockRows<5 ? 1 : 5, Cols>(a + row, a_stride, b, b_stride, n, to, stride, adds);
                break;
            case 6:
                multiply_block < Real, kBlockRows<6 ? 1 : 6, Cols>(a + row, a_stride, b, b_stride, n, to, stride, adds);
                break;
            case 7:
                multiply_block < Real, kBlockRows<7 ? 1 : 7, Cols>(a + row, a_stride, b, b_stride, n, to, stride, adds);
                break;
            case 8:
                multiply_block < Real, kBlockRows<8 ? 1 : 8, Cols>(a + row, a_stride, b, b_stride, n, to, stride, adds);
                break;
            default: break;
        }
        row += height;
    }
}

}  // namespace clustermass::CM_ISA
