#pragma once
#include <cstdint>
#include <type_traits>

/// Quick looks at values, for loops that refuse bad input while they work. Included by <op>_loops.cpp only.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

/// Whether any of n values is NaN or infinite: its exponent bits, and so its bits without the sign, reach those of
/// infinity. Integer comparison vectorises better than two comparisons of numbers.
template <class Real>
bool any_not_finite(const Real* values, std::int64_t n) {
    using Bits = std::conditional_t<sizeof(Real) == 4, std::uint32_t, std::uint64_t>;
    constexpr Bits kNoSign = Bits(~Bits(0)) >> 1;
    constexpr Bits kInfinity = sizeof(Real) == 4 ? Bits(0x7f800000) : Bits(0x7ff0000000000000);
    Bits largest = 0;
    for (std::int64_t i = 0; i < n; ++i) {
        Bits bits;
        __builtin_memcpy(&bits, values + i, sizeof(bits));
        bits &= kNoSign;
        largest = bits > largest ? bits : largest;
    }
    return largest >= kInfinity;
}

template <class Real>
bool any_negative(const Real* values, std::int64_t n) {
    Real lowest = 0;
    for (std::int64_t i = 0; i < n; ++i) lowest = values[i] < lowest ? values[i] : lowest;
    return lowest < 0;
}

}  // namespace
}  // namespace CM_ISA
}  // namespace clustermass::ops
