#pragma once
#include <algorithm>
#include <cstdint>

#include "clustermass/core/error.hpp"
#include "clustermass/core/parallel.hpp"
#include "clustermass/core/span.hpp"

/// Work on ragged batches, cluster by cluster: values of cluster i are those from offsets[i] to offsets[i + 1].
namespace clustermass::ops {

inline void check_offsets(Span<const std::int64_t> offsets, std::int64_t n_values) {
    if (offsets.size < 1 || offsets[0] != 0 || offsets[offsets.size - 1] != n_values)
        throw ArrayError("`offsets` must start at 0 and end at the number of values");
    for (std::int64_t i = 0; i + 1 < offsets.size; ++i)
        if (offsets[i] > offsets[i + 1]) throw DomainError("`offsets` must never decrease");
}

/// The first cluster of a chunk: chunks have about the same number of values and clusters.
inline std::int64_t ragged_start(Span<const std::int64_t> offsets, std::int64_t chunk, std::int64_t n_chunks) {
    const std::int64_t n = offsets.size - 1;
    if (chunk == n_chunks) return n;
    const auto work = [&](std::int64_t cluster) { return offsets[cluster] + 8 * cluster; };
    const std::int64_t target = work(n) / n_chunks * chunk;
    std::int64_t low = 0, high = n;
    while (low < high) {
        const std::int64_t at = low + (high - low) / 2;
        if (work(at) < target)
            low = at + 1;
        else
            high = at;
    }
    return low;
}

/// body(first cluster, last cluster, values of the largest of them) on chunks that do not depend on the threads.
template <class Body>
void each_cluster(Span<const std::int64_t> offsets, const Parallel& run, const Body& body) {
    const std::int64_t n_chunks = std::min<std::int64_t>(256, offsets.size - 1);
    parallel_chunks(n_chunks, run, [&](std::int64_t chunk) {
        const std::int64_t first = ragged_start(offsets, chunk, n_chunks),
                           last = ragged_start(offsets, chunk + 1, n_chunks);
        std::int64_t largest = 0;
        for (std::int64_t i = first; i < last; ++i) largest = std::max(largest, offsets[i + 1] - offsets[i]);
        if (first < last) body(first, last, largest);
    });
}

}  // namespace clustermass::ops
