#pragma once
#include <cstdint>

#include "clustermass/core/macros.hpp"

/// Registers as values, through the compiler's vector extension: +, -, * work lane by lane. The width follows the
/// instruction set a file is compiled for, so everything here lives in the namespace of that set.
namespace clustermass::CM_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
inline constexpr int kVectorRegisters = 32;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
inline constexpr int kVectorRegisters = 16;
#else
inline constexpr int kVectorBytes = 16;
inline constexpr int kVectorRegisters = 16;
#endif

template <class Real>
inline constexpr int kLanes = kVectorBytes / int(sizeof(Real));

template <class Real>
struct VectorOf {
    typedef Real type __attribute__((vector_size(kVectorBytes)));
    typedef Real unaligned __attribute__((vector_size(kVectorBytes), aligned(alignof(Real)), may_alias));
};

template <class Real>
using Vector = typename VectorOf<Real>::type;

template <class Real>
CM_HD Vector<Real> load(const Real* p) {
    return *reinterpret_cast<const typename VectorOf<Real>::unaligned*>(p);
}

template <class Real>
CM_HD void store(Real* p, Vector<Real> v) {
    *reinterpret_cast<typename VectorOf<Real>::unaligned*>(p) = v;
}

template <int... I>
struct Lanes {};
template <int N, int... I>
struct CountLanes : CountLanes<N - 1, N - 1, I...> {};
template <int... I>
struct CountLanes<0, I...> {
    using type = Lanes<I...>;
};

/// Lanes of a and b whose number has bit D clear (`low`) or set (`high`), b's moved to the odd places.
template <int D, class V, int... I>
CM_HD V exchange_low(V a, V b, Lanes<I...>) {
    return __builtin_shufflevector(a, b, ((I & D) == 0 ? I : I - D + int(sizeof...(I)))...);
}
template <int D, class V, int... I>
CM_HD V exchange_high(V a, V b, Lanes<I...>) {
    return __builtin_shufflevector(a, b, ((I & D) == 0 ? I + D : I + int(sizeof...(I)))...);
}

/// Transpose a square of kLanes x kLanes values held in registers: log2(kLanes) rounds of block exchanges.
template <class Real, int D = kLanes<Real> / 2>
CM_HD void transpose(Vector<Real> (&rows)[kLanes<Real>]) {
    using All = typename CountLanes<kLanes<Real>>::type;
    for (int i = 0; i < kLanes<Real>; ++i) {
        if (i & D) continue;
        const Vector<Real> a = rows[i], b = rows[i + D];
        rows[i] = exchange_low<D>(a, b, All{});
        rows[i + D] = exchange_high<D>(a, b, All{});
    }
    if constexpr (D > 1) transpose<Real, D / 2>(rows);
}

}  // namespace clustermass::CM_ISA
