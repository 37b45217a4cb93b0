#pragma once

#include "clustermass/core/macros.hpp"

/// Short vectors of numbers (gcc and clang vector extensions; the compiler splits those that the instruction set
/// lacks). Memory is read and written through `load` and `store`, at any address: an alignment attribute on the types
/// would be lost where they are template arguments.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

template <class Vector>
CM_HD Vector load(const double* from) {
    Vector v;
    __builtin_memcpy(&v, from, sizeof(v));
    return v;
}
template <class Vector>
CM_HD void store(double* to, const Vector& v) {
    __builtin_memcpy(to, &v, sizeof(v));
}

typedef double Double2 __attribute__((vector_size(16)));
typedef double Double4 __attribute__((vector_size(32)));
typedef double Double8 __attribute__((vector_size(64)));
typedef float Float2 __attribute__((vector_size(8)));
typedef float Float4 __attribute__((vector_size(16)));
typedef float Float8 __attribute__((vector_size(32)));
typedef float Float16 __attribute__((vector_size(64)));

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
