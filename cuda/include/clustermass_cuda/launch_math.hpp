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

/// How many of n items of `bytes_each` to work on at once where `free_bytes` of memory are left: half of it is used, so
/// that the caller's library has room for results, and never more than kMaxPieceBytes; at least one item.
inline constexpr std::int64_t kMaxPieceBytes = std::int64_t(4) << 30;
constexpr std::int64_t items_at_once(std::int64_t n, std::int64_t bytes_each, std::int64_t free_bytes) {
    const std::int64_t room = std::min(kMaxPieceBytes, free_bytes / 2);
    const std::int64_t fit = bytes_each > 0 ? room / bytes_each : n;
    return std::max<std::int64_t>(1, std::min(n, fit));
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

/// How the particles of one projection meet in the image. Many of a cluster's particles fall on a few pixels, and
/// additions to one address come one after another: so there are several images, added up at the end.
struct ProjectPlan {
    enum Form : int { copies, tiles };
    Form form;
    /// copies: images in global memory; particle i goes to image (i / kThreadsPerBlock) % n_copies. tiles: 1.
    std::int64_t n_copies;
    /// tiles: each piece of work is a share of the particles and some channels, whose image is in shared memory.
    std::int64_t channels_each, n_groups, n_shares;
    std::int64_t shared_bytes;
};

/// `form`: ProjectPlan::Form, or -1 for the plan's own choice: tiles where the image of a channel fits into shared
/// memory and there are so many particles that clearing and emptying the tiles does not count; else copies.
inline ProjectPlan plan_project(std::int64_t n, std::int64_t channels, std::int64_t rows, std::int64_t cols,
                                std::int64_t shared_limit, std::int64_t processors, int form) {
    constexpr std::int64_t kMaxCopies = 32, kCopiesBytes = std::int64_t(16) << 20;  // of a cache of 40 MB and more
    constexpr std::int64_t kParticlesPerPixel = 64;  // of a tile, for it to be worthwhile
    const std::int64_t pixels = checked_product("shape", rows, cols), bytes = std::int64_t(sizeof(double));
    const std::int64_t image = checked_product("image", checked_product("image", pixels, channels), bytes);
    const std::int64_t per_share = n / std::max<std::int64_t>(1, processors);
    const bool fits = pixels > 0 && pixels <= shared_limit / bytes;
    if (form == ProjectPlan::tiles && !fits)
        throw DomainError("project: an image of " + std::to_string(pixels) + " pixels does not fit into shared memory");
    const bool is_worthwhile = per_share / kParticlesPerPixel >= pixels;
    if (form == ProjectPlan::tiles || (form < 0 && fits && is_worthwhile)) {
        const std::int64_t each = std::min(channels, shared_limit / bytes / pixels);
        return {ProjectPlan::tiles,   1, each, (channels + each - 1) / each, std::max<std::int64_t>(1, processors),
                each * pixels * bytes};
    }
    const std::int64_t fit = std::max<std::int64_t>(1, kCopiesBytes / std::max<std::int64_t>(1, image));
    const std::int64_t useful = std::max<std::int64_t>(1, n / std::max<std::int64_t>(1, pixels));
    return {ProjectPlan::copies, std::min({kMaxCopies, fit, useful}), 0, 0, 0, 0};
}

}  // namespace clustermass::cuda
