#pragma once
#include <cstdint>

#include "clustermass/core/macros.hpp"

namespace clustermass {

/// Borrowed contiguous values.
template <class T>
struct Span {
    T* data;
    std::int64_t size;
    CM_HD T& operator[](std::int64_t i) const { return data[i]; }
};

/// Borrowed table in C order.
template <class T>
struct Table {
    T* data;
    std::int64_t rows, cols;
    CM_HD T* row(std::int64_t i) const { return data + i * cols; }
    CM_HD T& operator()(std::int64_t i, std::int64_t j) const { return data[i * cols + j]; }
    CM_HD std::int64_t size() const { return rows * cols; }
};

/// Borrowed stack of images in C order: (item, row, column).
template <class T>
struct Stack {
    T* data;
    std::int64_t items, rows, cols;
    CM_HD T* item(std::int64_t i) const { return data + i * rows * cols; }
    CM_HD std::int64_t size() const { return items * rows * cols; }
};

}  // namespace clustermass
