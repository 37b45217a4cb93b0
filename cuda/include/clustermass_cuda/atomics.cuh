#pragma once
#include <cuda_runtime.h>

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

/// The same for some channels of the image, from `first` on; others are left out.
struct AtomicAddSome {
    Stack<double> sums;
    std::int64_t first;
    __device__ void operator()(std::int64_t channel, std::int64_t row, std::int64_t col, double value) const {
        const std::int64_t here = channel - first;
        if (here >= 0 && here < sums.items) atomicAdd(sums.item(here) + row * sums.cols + col, value);
    }
};

}  // namespace clustermass::cuda
