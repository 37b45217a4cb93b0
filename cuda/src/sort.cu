#include "clustermass_cuda/sort.hpp"

#include <algorithm>

#include "clustermass_cuda/launch.cuh"

namespace clustermass::cuda {
namespace {

constexpr int kThreads = int(kThreadsPerBlock);

/// Each thread of a block adds up kScanEach values, one of them the sums of all, then each writes its part.
struct ScanTile {
    std::int64_t* values;
    std::int64_t* totals;  ///< of each tile
    std::int64_t n;

    __device__ std::int64_t phases(std::int64_t) const { return 3; }
    __device__ void operator()(std::int64_t phase, const Place& place, double* shared) const {
        auto* const sums = reinterpret_cast<std::int64_t*>(shared);
        const std::int64_t first = place.block * kScanTile + std::int64_t(place.thread) * kScanEach;
        const std::int64_t last = first + kScanEach < n ? first + kScanEach : n;
        if (phase == 0) {
            std::int64_t sum = 0;
            for (std::int64_t i = first; i < last; ++i) sum += values[i];
            sums[place.thread] = sum;
        } else if (phase == 1) {
            if (place.thread != 0) return;
            std::int64_t before = 0;
            for (int t = 0; t < place.threads; ++t) {
                const std::int64_t sum = sums[t];
                sums[t] = before;
                before += sum;
            }
            totals[place.block] = before;
        } else {
            std::int64_t before = sums[place.thread];
            for (std::int64_t i = first; i < last; ++i) {
                const std::int64_t value = values[i];
                values[i] = before;
                before += value;
            }
        }
    }
};

struct AddTotals {
    std::int64_t* values;
    const std::int64_t* totals;
    __device__ void operator()(std::int64_t i) const { values[i] += totals[i / kScanTile]; }
};

/// Digits of a tile: each thread counts those of its own consecutive pairs.
struct Digits {
    const std::uint32_t* keys;
    std::int64_t n;
    int shift;

    __device__ int of(std::uint32_t key) const { return int(key >> shift) & (kSortDigits - 1); }
    __device__ void range(const Place& place, std::int64_t& first, std::int64_t& last) const {
        first = place.block * kSortTile + std::int64_t(place.thread) * kSortEach;
        last = first + kSortEach < n ? first + kSortEach : n;
    }
    /// counts[digit * threads + thread]
    __device__ void count(const Place& place, std::uint32_t* counts) const {
        for (int d = 0; d < kSortDigits; ++d) counts[d * kThreads + place.thread] = 0;
        std::int64_t first, last;
        range(place, first, last);
        for (std::int64_t i = first; i < last; ++i) ++counts[of(keys[i]) * kThreads + place.thread];
    }
};

/// How often each digit occurs in each tile.
struct CountDigits {
    Digits digits;
    std::int64_t* counts;  ///< [digit][tile]
    std::int64_t n_tiles;

    __device__ std::int64_t phases(std::int64_t) const { return 2; }
    __device__ void operator()(std::int64_t phase, const Place& place, double* shared) const {
        auto* const own = reinterpret_cast<std::uint32_t*>(shared);
        if (phase == 0) {
            digits.count(place, own);
        } else if (place.thread < kSortDigits) {
            std::int64_t sum = 0;
            for (int t = 0; t < kThreads; ++t) sum += own[place.thread * kThreads + t];
            counts[place.thread * n_tiles + place.block] = sum;
        }
    }
};

/// Move each pair to its place: first by digit, then by tile, thread and order, which keeps equal keys in order.
struct Scatter {
    Digits digits;
    const std::int64_t* starts;  ///< [digit][tile]
    std::int64_t n_tiles;
    const std::int64_t* values;
    std::uint32_t* to_keys;
    std::int64_t* to_values;

    __device__ std::int64_t phases(std::int64_t) const { return 3; }
    __device__ void operator()(std::int64_t phase, const Place& place, double* shared) const {
        auto* const own = reinterpret_cast<std::uint32_t*>(shared);
        if (phase == 0) {
            digits.count(place, own);
        } else if (phase == 1) {
            if (place.thread >= kSortDigits) return;
            std::uint32_t before = 0;
            for (int t = 0; t < kThreads; ++t) {
                std::uint32_t& here = own[place.thread * kThreads + t];
                const std::uint32_t count = here;
                here = before;
                before += count;
            }
        } else {
            std::int64_t first, last;
            digits.range(place, first, last);
            for (std::int64_t i = first; i < last; ++i) {
                const int digit = digits.of(digits.keys[i]);
                const std::int64_t to = starts[digit * n_tiles + place.block] + own[digit * kThreads + place.thread]++;
                to_keys[to] = digits.keys[i];
                to_values[to] = values[i];
            }
        }
    }
};

}  // namespace

std::int64_t scan_scratch(std::int64_t n) {
    std::int64_t total = 0;
    do {
        n = tiles_for(n, kScanTile);
        total += n;
    } while (n > 1);
    return total;
}

void exclusive_scan(std::int64_t* values, std::int64_t n, std::int64_t* scratch, const Queue& queue, const char* op) {
    if (n <= 0) return;
    const std::int64_t n_tiles = tiles_for(n, kScanTile);
    for_each_block(n_tiles, kThreads * sizeof(std::int64_t), ScanTile{values, scratch, n}, queue, op);
    if (n_tiles == 1) return;
    exclusive_scan(scratch, n_tiles, scratch + n_tiles, queue, op);
    for_each_index(n, AddTotals{values, scratch}, queue, op);
}

std::int64_t sort_scratch(std::int64_t n) {
    const std::int64_t counts = kSortDigits * tiles_for(n, kSortTile);
    return counts + scan_scratch(counts);
}

void sort_by_key(const Sortable& pairs, int bits, std::int64_t* scratch, const Queue& queue, const char* op) {
    if (pairs.n <= 0) return;
    const std::int64_t n_tiles = tiles_for(pairs.n, kSortTile), n_counts = kSortDigits * n_tiles;
    const std::size_t shared = std::size_t(kSortDigits) * kThreads * sizeof(std::uint32_t);
    Sortable at = pairs;
    for (int pass = 0; pass < sort_passes(bits); ++pass) {
        const Digits digits{at.keys, pairs.n, pass * kSortBits};
        for_each_block(n_tiles, shared, CountDigits{digits, scratch, n_tiles}, queue, op);
        exclusive_scan(scratch, n_counts, scratch + n_counts, queue, op);
        for_each_block(n_tiles, shared, Scatter{digits, scratch, n_tiles, at.values, at.other_keys, at.other_values},
                       queue, op);
        std::swap(at.keys, at.other_keys);
        std::swap(at.values, at.other_values);
    }
}

}  // namespace clustermass::cuda
