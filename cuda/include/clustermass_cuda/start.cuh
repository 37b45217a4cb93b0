#pragma once
#include <cuda_runtime.h>

#include <cstdint>

/// The only place where a kernel starts. cuda/emulation has a file of the same name that runs the same bodies on the
/// processor, which is how everything else here is tested without a device.
namespace clustermass::cuda {

/// Where a thread stands: `block` counts the pieces of work, not the blocks of the launch.
struct Place {
    std::int64_t block;
    int thread, threads;
};

template <class Body>
__global__ void grid_stride_kernel(std::int64_t n, Body body) {
    const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
    for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) body(i);
}

/// body.phases(block) phases, each run by all threads of a block before the next one begins.
template <class Body>
__global__ void block_kernel(std::int64_t n, Body body) {
    extern __shared__ double shared[];
    for (std::int64_t block = blockIdx.x; block < n; block += gridDim.x)
        for (std::int64_t phase = 0, n_phases = body.phases(block); phase < n_phases; ++phase) {
            body(phase, Place{block, int(threadIdx.x), int(blockDim.x)}, shared);
            __syncthreads();
        }
}

template <class Body>
cudaError_t start_indices(unsigned blocks, unsigned threads, cudaStream_t stream, std::int64_t n, const Body& body) {
    grid_stride_kernel<<<blocks, threads, 0, stream>>>(n, body);
    return cudaGetLastError();
}

template <class Body>
cudaError_t start_blocks(unsigned blocks, unsigned threads, std::size_t shared_bytes, cudaStream_t stream,
                         std::int64_t n, const Body& body) {
    constexpr std::size_t kWithoutAsking = 48 * 1024;  // of shared memory; more must be asked for
    if (shared_bytes > kWithoutAsking) {
        const auto status =
            cudaFuncSetAttribute(block_kernel<Body>, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared_bytes));
        if (status != cudaSuccess) return status;
    }
    block_kernel<<<blocks, threads, shared_bytes, stream>>>(n, body);
    return cudaGetLastError();
}

}  // namespace clustermass::cuda
