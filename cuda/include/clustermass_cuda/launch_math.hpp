#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "clustermass/core/error.hpp"
#include "clustermass/core/macros.hpp"
#include "clustermass/ops/views.hpp"

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

/// Prefix sums: what one block takes.
inline constexpr std::int64_t kScanEach = 8, kScanTile = kScanEach * kThreadsPerBlock;

/// Sorting: digits of kSortBits bits, and the pairs that one block takes.
inline constexpr int kSortBits = 4, kSortDigits = 1 << kSortBits;
inline constexpr std::int64_t kSortEach = 16, kSortTile = kSortEach * kThreadsPerBlock;

/// Pieces of `tile` that hold n; at least one.
constexpr std::int64_t tiles_for(std::int64_t n, std::int64_t tile) { return n <= 0 ? 1 : n / tile + (n % tile != 0); }

/// Bits of the numbers below n.
constexpr int bits_for(std::int64_t n) {
    int bits = 0;
    while (bits < 63 && (std::int64_t(1) << bits) < n) ++bits;
    return bits;
}

/// Passes of a sort by `bits`: an even number, so that the result is where the input was.
constexpr int sort_passes(int bits) { return (bits + 2 * kSortBits - 1) / (2 * kSortBits) * 2; }

/// Threads that run in step. Launches begin at a multiple of it, so index % kWarp is the lane.
inline constexpr std::int64_t kWarp = 32;
static_assert(kThreadsPerBlock % kWarp == 0);

/// How many groups of kWarp threads share a view: many views, few each; and enough groups in all to fill a device.
constexpr std::int64_t warps_per_view(std::int64_t n_views) {
    constexpr std::int64_t kInAll = 16384, kMost = 1024, kLeast = 8;
    return n_views <= 0 ? kMost : std::max(kLeast, std::min(kMost, kInAll / n_views));
}

/// How the work of a light cone is shared. Each line of sight is cut into `slices`, whose cells are looked up at the
/// same time; all galaxies and lines of cells in them together are cut into `shares` of the same cost, one per thread:
/// a cluster in one line of sight keeps no thread longer than the void in another.
struct LightconePlan {
    std::int64_t slices, n_slices, shares;
};
inline LightconePlan plan_lightcone(std::int64_t n_queries) {
    constexpr std::int64_t kSlicesInAll = 1 << 17, kMostSlices = 64, kLeastSlices = 4;
    constexpr std::int64_t kSharesPerSlice = 4, kMostShares = 1 << 18;
    const std::int64_t n = std::max<std::int64_t>(0, n_queries);
    const std::int64_t slices = n == 0 ? kMostSlices : std::clamp(kSlicesInAll / n, kLeastSlices, kMostSlices);
    const std::int64_t n_slices = checked_product("queries", n, slices);
    return {slices, n_slices, std::min(kMostShares, n_slices * kSharesPerSlice)};
}

/// Where share i of n equal shares of `total` begins; no product that could overflow.
CM_HD std::int64_t share_begin(std::int64_t total, std::int64_t i, std::int64_t n) {
    const std::int64_t rest = total % n;
    return total / n * i + (i < rest ? i : rest);
}

/// Blocks that look for the smallest and largest of n rows.
constexpr std::int64_t bounds_blocks(std::int64_t n) {
    constexpr std::int64_t kMost = 512;
    return std::min(kMost, std::int64_t(blocks_for(n)));
}

/// Tables of a density estimate in shared memory: a row per point of a chunk, in it the cells of the three slots.
struct KdePlan {
    std::int64_t points;     ///< of a chunk; 0: no tables, every cell looks at every point
    std::int64_t stride[3];  ///< cells of each slot, rounded up to whole tiles
    std::int64_t row;        ///< all of them
};

/// `form`: -1 for tables where they fit with some points at least, 0 for none.
constexpr KdePlan plan_kde(const std::int64_t (&n)[3], int tile_rows, int tile_cols, int form) {
    constexpr std::int64_t kTableBytes = 64 * 1024;  // three blocks or so share a processor
    constexpr std::int64_t kMostPoints = 64, kLeastPoints = 4;
    KdePlan plan{
        0, {(n[0] + tile_rows - 1) / tile_rows * tile_rows, n[1], (n[2] + tile_cols - 1) / tile_cols * tile_cols}, 0};
    plan.row = plan.stride[0] + plan.stride[1] + plan.stride[2];
    const std::int64_t fit = kTableBytes / std::int64_t(sizeof(double)) / plan.row;
    if (form != 0 && fit >= kLeastPoints) plan.points = std::min(kMostPoints, fit);
    return plan;
}

/// Cells of an index are numbered with 32 bits on a device.
inline void check_cells(const ops::CellGrid& g) {
    for (int a = 0; a < 3; ++a)
        if (g.n[a] < 1 || g.n[a] > 1024 || !(g.size[a] > 0) || !(g.size[a] < 1e300) ||
            !(g.origin[a] - g.origin[a] == 0))
            throw DomainError("index: needs 1 to 1024 cells of positive size along each axis");
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
