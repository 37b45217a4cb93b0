#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "clustermass/core/span.hpp"
#include "clustermass/ops/project.hpp"
#include "clustermass/ops/project_gradient.hpp"
#include "clustermass/ops/subsample.hpp"

/// What the CUDA library offers, in plain C++: the bindings include this and are compiled by the host compiler.
/// All pointers are device memory of the queue's device. A call enqueues its work and returns; data errors are not
/// reported (the caller has checked the data), launch errors are thrown as DeviceError.
namespace clustermass::cuda {

/// Where work goes: a device and one of its streams (a cudaStream_t, null for the default stream).
struct Queue {
    int device;
    void* stream;
};

struct Device {
    std::string reason;  ///< why it cannot be used; empty if it can
    std::string name;
    int major, minor, multiprocessors;       ///< compute capability; 0 where not known
    std::int64_t memory_total, memory_free;  ///< [byte]; 0 where not known
};

struct Status {
    std::string reason;  ///< why there are no devices; empty if there are
    int driver_version,
        runtime_version;  ///< newest CUDA the driver knows (0: no driver), CUDA built with: 13000 = 13.0
    std::vector<Device> devices;
};

/// What is there. Never throws for the sake of a device: each failure is a reason. Opens a context on every device.
Status query_devices();

/// Add the projection of the particles to `sums` (channel, row, column). The sums are float64 for both types of input;
/// their order, and so the last bits, change from call to call.
template <class Real>
void project(const ops::Particles<Real>& particles, const ops::ProjectParams& params, const Queue& queue,
             const Stack<double>& sums);

/// Pull the gradient by an image back to the particles, as ops::project_gradient: one thread each. The values of the
/// particles must have been checked.
template <class Real>
void project_gradient(const ops::Particles<Real>& particles, const ops::ProjectParams& params,
                      const Stack<const Real>& gradient, const Queue& queue, const ops::ParticleGradients<Real>& out);

/// Draw without replacement, bit for bit as ops::subsample. `max_members`: of the largest item. `scratch`: at least
/// max_members entries; as many rows are drawn at once as it holds tables of max_members.
void subsample(const ops::Subsampling& job, std::uint64_t seed, std::int64_t max_members, Span<std::uint32_t> scratch,
               const Queue& queue);

}  // namespace clustermass::cuda
