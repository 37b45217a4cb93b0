#include <algorithm>

#include "clustermass_cuda/launch.cuh"
#include "clustermass_cuda/ops.hpp"

namespace clustermass::cuda {
namespace {

constexpr std::int64_t kPayload = 3072;        // bytes that travel as an argument of a kernel (there is room for 4096)
constexpr std::int64_t kMostByKernel = 65536;  // beyond that a copy is cheaper, though it may wait for the stream

struct Payload {
    unsigned char bytes[kPayload];
    unsigned char* to;
    __device__ void operator()(std::int64_t i) const { to[i] = bytes[i]; }
};

}  // namespace

int device_of(const void* data) {
    cudaPointerAttributes found{};
    check(cudaPointerGetAttributes(&found, data), "device_of");
    if (found.type != cudaMemoryTypeDevice && int(found.type) != 3)  // 3: managed memory
        throw ArrayError("an array that claims to be on a CUDA device points to memory which is not");
    return found.device;
}

std::int64_t free_memory(int device) {
    const CurrentDevice current(device, "free_memory");
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "free_memory");
    return std::int64_t(free);
}

void wait(void* waiting, void* awaited, int device) {
    const CurrentDevice current(device, "wait");
    cudaEvent_t event{};
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "wait");
    const auto recorded = cudaEventRecord(event, static_cast<cudaStream_t>(awaited));
    const auto queued =
        recorded == cudaSuccess ? cudaStreamWaitEvent(static_cast<cudaStream_t>(waiting), event, 0) : recorded;
    check(cudaEventDestroy(event), "wait");  // the work queued on it stays
    check(queued, "wait");
}

void upload(Span<unsigned char> to, const unsigned char* from, const Queue& queue) {
    if (to.size > kMostByKernel) {
        const CurrentDevice current(queue.device, "upload");
        return started(cudaMemcpyAsync(to.data, from, std::size_t(to.size), cudaMemcpyHostToDevice,
                                       static_cast<cudaStream_t>(queue.stream)),
                       queue, "upload");
    }
    for (std::int64_t done = 0; done < to.size; done += kPayload) {
        const std::int64_t n = std::min(kPayload, to.size - done);
        Payload payload{{}, to.data + done};
        std::copy_n(from + done, n, payload.bytes);
        for_each_index(n, payload, queue, "upload");
    }
}

void download(Span<unsigned char> to, const unsigned char* from, const Queue& queue) {
    const CurrentDevice current(queue.device, "download");
    const auto stream = static_cast<cudaStream_t>(queue.stream);
    check(cudaMemcpyAsync(to.data, from, std::size_t(to.size), cudaMemcpyDeviceToHost, stream), "download");
    check(cudaStreamSynchronize(stream), "download");
}

}  // namespace clustermass::cuda
