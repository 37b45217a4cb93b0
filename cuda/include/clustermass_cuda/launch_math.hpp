#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "clustermass/core/error.hpp"

/// Arithmetic of launches and sizes: plain host code, so that it is unit-tested where no device is.
namespace clustermass::cuda {

inline constexpr unsigned kThreadsPerBlock = 256;
inline constexpr unsigned kMaxBlocks = 65535;  ///< threads go on to further indices where there are more

/// Blocks for n indices: enough for one thread each, at most kMaxBlocks.
constexpr unsigned blocks_for(std::int64_t n) {
    const std::int64_t needed = n / kThreadsPerBlock + (n % kThreadsPerBlock != 0);
    return unsigned(std::min<std::int64_t>(needed, kMaxBlocks));
}

/// a * b for counts that came from outside.
inline std::int64_t checked_product(const char* what, std::int64_t a, std::int64_t b) {
    if (a < 0 || b < 0 || (b > 0 && a > std::numeric_limits<std::int64_t>::max() / b))
        throw DomainError(std::string("`") + what + "` must have a size from 0 to 2^63 - 1, got " + std::to_string(a) +
                          " x " + std::to_string(b));
    return a * b;
}

/// How many rows can be drawn at once: one scratch table of max_members entries each.
inline std::int64_t subsample_workers(std::int64_t n_rows, std::int64_t max_members, std::int64_t scratch_size) {
    if (max_members <= 0) return n_rows;
    const std::int64_t fit = scratch_size / max_members;
    if (n_rows > 0 && fit < 1)
        throw DomainError("`scratch` must hold at least the " + std::to_string(max_members) +
                          " members of the largest item, got room for " + std::to_string(scratch_size));
    return std::min(fit, n_rows);
}

}  // namespace clustermass::cuda
