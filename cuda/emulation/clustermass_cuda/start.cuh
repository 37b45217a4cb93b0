#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "clustermass/core/parallel.hpp"

/// Stands in for cuda/include/clustermass_cuda/start.cuh where no device is: the same bodies, run by a few host
/// threads. Blocks run at the same time; the threads of one block take turns, phase by phase, the last one first.
namespace clustermass::cuda {

struct Place {
    std::int64_t block;
    int thread, threads;
};

inline Parallel emulated_threads() { return {4, {}}; }

template <class Body>
cudaError_t start_indices(unsigned blocks, unsigned threads, cudaStream_t, std::int64_t n, const Body& body) {
    const std::int64_t step = std::int64_t(blocks) * threads;
    const std::int64_t first = std::min(n, step);  // indices first, first + step, ... belong to one thread
    const std::int64_t chunk = std::max<std::int64_t>(256, (first + 31) / 32);
    parallel_chunks((first + chunk - 1) / chunk, emulated_threads(), [&](std::int64_t c) {
        for (std::int64_t start = c * chunk; start < std::min(first, (c + 1) * chunk); ++start)
            for (std::int64_t i = start; i < n; i += step) body(i);
    });
    return cudaSuccess;
}

template <class Body>
cudaError_t start_blocks(unsigned blocks, unsigned threads, std::size_t shared_bytes, cudaStream_t, std::int64_t n,
                         const Body& body) {
    if (shared_bytes > std::size_t(kEmulatedSharedBytes)) return cudaErrorInvalidValue;
    parallel_chunks(std::min<std::int64_t>(blocks, n), emulated_threads(), [&](std::int64_t first) {
        // Filled with what no body may rely on: shared memory is not cleared.
        std::vector<double> shared(shared_bytes / sizeof(double) + 1, -1e300);
        for (std::int64_t block = first; block < n; block += blocks)
            for (std::int64_t phase = 0, n_phases = body.phases(block); phase < n_phases; ++phase)
                for (int thread = int(threads) - 1; thread >= 0; --thread)
                    body(phase, Place{block, thread, int(threads)}, shared.data());
    });
    return cudaSuccess;
}

}  // namespace clustermass::cuda
