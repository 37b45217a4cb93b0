#pragma once
#include <cstdint>

#include "clustermass/core/span.hpp"
#include "grid.hpp"

namespace clustermass::ops {

/// Sum one row of `n_grids` grids in their order and hand each channel's pixels to `store`.
template <class Real, class Store>
void reduce_row(const DepositGrid& first, std::int64_t n_grids, std::int64_t grid_size, std::int64_t row,
                const Stack<Real>& out, Store store) {
    const double* const pixels = first.pixel(row, 0);
    for (std::int64_t channel = 0; channel < out.items; ++channel) {
        Real* const line = out.item(channel) + row * out.cols;
        for (std::int64_t col = 0; col < out.cols; ++col) {
            double sum = 0;
            for (std::int64_t g = 0; g < n_grids; ++g) sum += pixels[g * grid_size + col * first.lanes + channel];
            store(line[col], sum);
        }
    }
}

}  // namespace clustermass::ops
