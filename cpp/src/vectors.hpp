#pragma once

#include "clustermass/core/macros.hpp"

/// Short vectors of numbers that may lie at any address (gcc and clang vector extensions; the compiler splits those
/// that the instruction set lacks). Written out one by one: inside a template the alignment attribute would be lost.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

typedef double Double2 __attribute__((vector_size(16), aligned(8), may_alias));
typedef double Double4 __attribute__((vector_size(32), aligned(8), may_alias));
typedef double Double8 __attribute__((vector_size(64), aligned(8), may_alias));
typedef float Float2 __attribute__((vector_size(8), aligned(4), may_alias));
typedef float Float4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float Float8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float Float16 __attribute__((vector_size(64), aligned(4), may_alias));

template <class Real, int Lanes>
struct VectorOf;
template <class Real>
struct VectorOf<Real, 1> {
    using Type = Real;
};
template <>
struct VectorOf<double, 2> {
    using Type = Double2;
};
template <>
struct VectorOf<double, 4> {
    using Type = Double4;
};
template <>
struct VectorOf<double, 8> {
    using Type = Double8;
};
template <>
struct VectorOf<float, 2> {
    using Type = Float2;
};
template <>
struct VectorOf<float, 4> {
    using Type = Float4;
};
template <>
struct VectorOf<float, 8> {
    using Type = Float8;
};

}  // namespace
}  // namespace CM_ISA
}  // namespace clustermass::ops
