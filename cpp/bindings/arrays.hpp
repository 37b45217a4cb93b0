#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

#include "clustermass/core/error.hpp"
#include "clustermass/core/parallel.hpp"
#include "clustermass/core/span.hpp"

/// The memory gate: every array that crosses into C++ is checked here for dtype, rank, length, C order and
/// writability. Nothing is converted or copied.
namespace clustermass::bindings {
namespace py = pybind11;

inline constexpr std::int64_t kAnyLength = -1;

[[noreturn]] inline void fail(const char* name, const std::string& expected, const std::string& got) {
    throw ArrayError(std::string("`") + name + "` must have " + expected + ", got " + got);
}

template <class T>
void check(const py::array& a, const char* name, py::ssize_t rank) {
    using Value = std::remove_const_t<T>;
    if (!py::isinstance<py::array_t<Value>>(a))
        fail(name, "dtype " + py::str(py::dtype::of<Value>()).cast<std::string>(),
             py::str(a.dtype()).cast<std::string>());
    if (a.ndim() != rank) fail(name, std::to_string(rank) + " dimensions", std::to_string(a.ndim()));
    if (!(a.flags() & py::array::c_style)) fail(name, "C order", "another layout");
    if (!std::is_const_v<T> && !a.writeable()) fail(name, "writable memory", "a read-only array");
}

template <class T>
T* pointer(const py::array& a) {
    if constexpr (std::is_const_v<T>)
        return static_cast<T*>(a.data());
    else
        return static_cast<T*>(const_cast<void*>(a.data()));  // writability was checked
}

inline void check_length(const py::array& a, const char* name, py::ssize_t axis, std::int64_t expected) {
    if (expected != kAnyLength && a.shape(axis) != expected)
        fail(name, "length " + std::to_string(expected) + " along axis " + std::to_string(axis),
             std::to_string(a.shape(axis)));
}

template <class T>
Span<T> span(const py::array& a, const char* name, std::int64_t size = kAnyLength) {
    check<T>(a, name, 1);
    check_length(a, name, 0, size);
    return {pointer<T>(a), a.shape(0)};
}

template <class T>
Table<T> table(const py::array& a, const char* name, std::int64_t rows = kAnyLength, std::int64_t cols = kAnyLength) {
    check<T>(a, name, 2);
    check_length(a, name, 0, rows);
    check_length(a, name, 1, cols);
    return {pointer<T>(a), a.shape(0), a.shape(1)};
}

template <class T>
Stack<T> stack(const py::array& a, const char* name, std::int64_t items = kAnyLength) {
    check<T>(a, name, 3);
    check_length(a, name, 0, items);
    return {pointer<T>(a), a.shape(0), a.shape(1), a.shape(2)};
}

/// Threads of one call. While kernels run without the GIL, the calling thread takes it every 50 ms to see Ctrl-C.
inline Parallel parallel(int n_threads) {
    if (n_threads < 1) throw DomainError("`n_threads` must be at least 1, got " + std::to_string(n_threads));
    return {n_threads, [] {
                const py::gil_scoped_acquire gil;
                if (PyErr_CheckSignals() != 0) throw py::error_already_set();
            }};
}

}  // namespace clustermass::bindings
