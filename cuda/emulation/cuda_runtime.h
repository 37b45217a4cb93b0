#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

/// What the sources in cuda/src use of the CUDA runtime, on host memory: one device, every call done when it returns.
/// For tests; see cuda/emulation/clustermass_cuda/start.cuh.
#define __global__
#define __device__

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidDevice = 101
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16, cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
enum cudaMemoryType { cudaMemoryTypeUnregistered = 0, cudaMemoryTypeHost = 1, cudaMemoryTypeDevice = 2 };
constexpr unsigned cudaEventDisableTiming = 2;
constexpr int kEmulatedSharedBytes = 227 * 1024, kEmulatedProcessors = 4;
constexpr std::size_t kEmulatedMemory = std::size_t(1) << 31;

using cudaStream_t = void*;
using cudaEvent_t = void*;

struct cudaDeviceProp {
    char name[16];
    int major, minor, multiProcessorCount;
    std::size_t totalGlobalMem;
};
struct cudaPointerAttributes {
    cudaMemoryType type;
    int device;
};
struct cudaFuncAttributes {};

inline const char* cudaGetErrorString(cudaError_t status) { return status ? "emulated error" : "no error"; }
inline const char* cudaGetErrorName(cudaError_t status) { return status ? "cudaErrorEmulated" : "cudaSuccess"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
inline cudaError_t cudaSetDevice(int device) { return device ? cudaErrorInvalidDevice : cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
inline cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 12000, cudaSuccess; }
inline cudaError_t cudaDriverGetVersion(int* version) { return *version = 12000, cudaSuccess; }
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
    *p = {"emulated", 8, 0, kEmulatedProcessors, kEmulatedMemory};
    return cudaSuccess;
}
inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    // Tests make memory scarce to see work cut into pieces.
    const char* const told = std::getenv("CLUSTERMASS_EMULATED_FREE");
    *free = told ? std::size_t(std::strtoull(told, nullptr, 10)) : kEmulatedMemory;
    return *total = kEmulatedMemory, cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    *value = attribute == cudaDevAttrMultiProcessorCount ? kEmulatedProcessors : kEmulatedSharedBytes;
    return cudaSuccess;
}
template <class Kernel>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes*, Kernel) {
    return cudaSuccess;
}
inline cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* found, const void*) {
    *found = {cudaMemoryTypeDevice, 0};
    return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t n, cudaMemcpyKind, cudaStream_t) {
    return std::memmove(to, from, n), cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t n, cudaStream_t) {
    return std::memset(to, value, n), cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return *event = nullptr, cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }

/// Atomic additions between the host threads that play blocks.
inline double atomicAdd(double* to, double value) {
    double old = 0, sum = 0;
    __atomic_load(to, &old, __ATOMIC_RELAXED);
    do sum = old + value;
    while (!__atomic_compare_exchange(to, &old, &sum, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}
inline unsigned long long atomicAdd(unsigned long long* to, unsigned long long value) {
    return __atomic_fetch_add(to, value, __ATOMIC_RELAXED);
}
