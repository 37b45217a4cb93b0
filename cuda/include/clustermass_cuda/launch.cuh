#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "clustermass/core/error.hpp"
#include "clustermass_cuda/launch_math.hpp"
#include "clustermass_cuda/ops.hpp"
#include "clustermass_cuda/start.cuh"

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

/// For debugging: CLUSTERMASS_CUDA_SYNC=1 waits after every launch, so that an error names the op that made it.
inline bool waits_after_launch() {
    const char* const value = std::getenv("CLUSTERMASS_CUDA_SYNC");
    return value && std::strcmp(value, "1") == 0;
}

/// Report what a call said, and in debugging mode what the device says once it is done.
inline void started(cudaError_t status, const Queue& queue, const char* op) {
    check(status, op);
    if (waits_after_launch()) check(cudaStreamSynchronize(static_cast<cudaStream_t>(queue.stream)), op);
}

/// Enqueue body(0), ..., body(n - 1), each by one thread.
template <class Body>
void for_each_index(std::int64_t n, const Body& body, const Queue& queue, const char* op) {
    if (n <= 0) return;
    const CurrentDevice current(queue.device, op);
    const auto stream = static_cast<cudaStream_t>(queue.stream);
    started(start_indices(blocks_for(n), kThreadsPerBlock, stream, n, body), queue, op);
}

/// Enqueue n pieces of work, each done by kThreadsPerBlock threads that share `shared_bytes` of memory and meet between
/// the phases of the body.
template <class Body>
void for_each_block(std::int64_t n, std::size_t shared_bytes, const Body& body, const Queue& queue, const char* op) {
    if (n <= 0) return;
    const CurrentDevice current(queue.device, op);
    const auto stream = static_cast<cudaStream_t>(queue.stream);
    const auto blocks = unsigned(n < kMaxBlocks ? n : kMaxBlocks);
    started(start_blocks(blocks, kThreadsPerBlock, shared_bytes, stream, n, body), queue, op);
}

/// Enqueue zeros.
template <class T>
void clear(T* data, std::int64_t n, const Queue& queue, const char* op) {
    if (n <= 0) return;
    const CurrentDevice current(queue.device, op);
    started(cudaMemsetAsync(data, 0, std::size_t(n) * sizeof(T), static_cast<cudaStream_t>(queue.stream)), queue, op);
}

}  // namespace clustermass::cuda
