#pragma once
#include <cstdint>

#include "clustermass/core/span.hpp"

namespace clustermass::cuda {

/// Accumulator of an image (channel, row, column) that many threads write to.
struct AtomicAdd {
    Stack<double> sums;
    __device__ void operator()(std::int64_t channel, std::int64_t row, std::int64_t col, double value) const {
        atomicAdd(sums.item(channel) + row * sums.cols + col, value);
    }
};

}  // namespace clustermass::cuda
