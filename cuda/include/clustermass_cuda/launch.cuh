#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "clustermass/core/error.hpp"
#include "clustermass_cuda/launch_math.hpp"
#include "clustermass_cuda/ops.hpp"

namespace clustermass::cuda {

/// Throw if `status` is an error, and take it off the thread's record so that nobody else trips over it.
inline void check(cudaError_t status, const char* op) {
    if (status == cudaSuccess) return;
    static_cast<void>(cudaGetLastError());
    throw DeviceError(std::string(op) + ": " + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")");
}

/// Makes a device the thread's current one and puts the previous one back.
class CurrentDevice {
public:
    CurrentDevice(int device, const char* op) : device_(device) {
        check(cudaGetDevice(&previous_), op);
        if (device_ != previous_) check(cudaSetDevice(device_), op);
    }
    ~CurrentDevice() {
        if (device_ != previous_) static_cast<void>(cudaSetDevice(previous_));
    }
    CurrentDevice(const CurrentDevice&) = delete;
    CurrentDevice& operator=(const CurrentDevice&) = delete;

private:
    int device_, previous_ = 0;
};

template <class Body>
__global__ void grid_stride_kernel(std::int64_t n, Body body) {
    const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
    for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) body(i);
}

/// For debugging: CLUSTERMASS_CUDA_SYNC=1 waits after every launch, so that an error names the op that made it.
inline bool waits_after_launch() {
    const char* const value = std::getenv("CLUSTERMASS_CUDA_SYNC");
    return value && std::strcmp(value, "1") == 0;
}

/// Enqueue body(0), ..., body(n - 1), each by one thread.
template <class Body>
void for_each_index(std::int64_t n, const Body& body, const Queue& queue, const char* op) {
    if (n <= 0) return;
    const CurrentDevice current(queue.device, op);
    const auto stream = static_cast<cudaStream_t>(queue.stream);
    grid_stride_kernel<<<blocks_for(n), kThreadsPerBlock, 0, stream>>>(n, body);
    check(cudaGetLastError(), op);
    if (waits_after_launch()) check(cudaStreamSynchronize(stream), op);
}

}  // namespace clustermass::cuda
