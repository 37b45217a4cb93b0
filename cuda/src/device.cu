#include <cuda_runtime.h>

#include "clustermass_cuda/ops.hpp"

namespace clustermass::cuda {
namespace {

__global__ void probe_kernel() {}

/// Text of an error, which is taken off the thread's record: a query leaves no trace.
std::string text(cudaError_t status) {
    static_cast<void>(cudaGetLastError());
    return std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")";
}

std::string version(int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); }

/// Make the device current, ask for its memory and whether this build has code for it.
std::string open(int index, Device& device) {
    cudaDeviceProp properties;
    if (const auto status = cudaGetDeviceProperties(&properties, index)) return text(status);
    device.name = properties.name;
    device.major = properties.major;
    device.minor = properties.minor;
    device.multiprocessors = properties.multiProcessorCount;
    device.memory_total = std::int64_t(properties.totalGlobalMem);
    if (const auto status = cudaSetDevice(index)) return text(status);
    std::size_t free = 0, total = 0;
    if (const auto status = cudaMemGetInfo(&free, &total)) return text(status);
    device.memory_free = std::int64_t(free);
    cudaFuncAttributes attributes;
    if (const auto status = cudaFuncGetAttributes(&attributes, probe_kernel))
        return "this build has no code for compute capability " + std::to_string(device.major) + "." +
               std::to_string(device.minor) + ": " + text(status);
    return "";
}

}  // namespace

Status query_devices() {
    Status result{};
    if (cudaRuntimeGetVersion(&result.runtime_version)) text(cudaGetLastError());
    if (cudaDriverGetVersion(&result.driver_version)) text(cudaGetLastError());
    int count = 0;
    if (const auto status = cudaGetDeviceCount(&count)) {
        const std::string reason = text(status) + "; the driver knows CUDA up to " + version(result.driver_version) +
                                   ", this build needs " + version(result.runtime_version);
        result.reason = result.driver_version == 0 ? "no NVIDIA driver was found" : reason;
        return result;
    }
    if (count == 0) result.reason = "the driver reports no device";
    int previous = 0;
    const bool has_previous = cudaGetDevice(&previous) == cudaSuccess;
    for (int index = 0; index < count; ++index) {
        Device device{};
        device.reason = open(index, device);
        result.devices.push_back(device);
    }
    if (has_previous && cudaSetDevice(previous) != cudaSuccess) static_cast<void>(cudaGetLastError());
    return result;
}

}  // namespace clustermass::cuda
