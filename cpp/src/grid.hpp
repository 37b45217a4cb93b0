#pragma once
#include <cstdint>

#include "clustermass/core/macros.hpp"

namespace clustermass::ops {

inline constexpr int kMaxChannels = 64;
inline constexpr std::int64_t kApron = 2;  ///< pixels around the image, so that CIC and TSC need no clipping

/// Accumulator of one task: (row, column, lane) in float64, the channels of a pixel side by side so that one update of
/// a pixel is one vector read-modify-write. The apron collects what falls just outside and is never read.
struct DepositGrid {
    double* data;
    std::int64_t rows, cols, lanes;  ///< lanes: channels rounded up to 1, 2 or a multiple of 4

    static constexpr std::int64_t lanes_for(std::int64_t channels) {
        return channels <= 2 ? channels : (channels + 3) / 4 * 4;
    }
    static constexpr std::int64_t size(std::int64_t rows, std::int64_t cols, std::int64_t channels) {
        return (rows + 2 * kApron) * padded(cols) * lanes_for(channels);
    }
    /// Pixels of a row with its apron; even, so that every row begins on a cache line where a pixel is half of one.
    static constexpr std::int64_t padded(std::int64_t cols) { return (cols + 2 * kApron + 1) / 2 * 2; }
    CM_HD std::int64_t stride() const { return padded(cols) * lanes; }
    CM_HD double* pixel(std::int64_t row, std::int64_t col) const {
        return data + (row + kApron) * stride() + (col + kApron) * lanes;
    }
};

}  // namespace clustermass::ops
