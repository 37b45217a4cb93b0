#include "clustermass/ops/project_body.hpp"
#include "clustermass/ops/project_check.hpp"
#include "clustermass_cuda/atomics.cuh"
#include "clustermass_cuda/launch.cuh"
#include "clustermass_cuda/ops.hpp"

namespace clustermass::cuda {
namespace {

template <class Real>
using Deposit = ops::ProjectBody<Real, AtomicAdd>;

/// One thread per particle. Neighbouring blocks add to different copies of the image.
template <class Real>
struct IntoCopies {
    Deposit<Real> deposit;
    Stack<double> first;
    std::int64_t n_copies;
    __device__ void operator()(std::int64_t i) const {
        Stack<double> copy = first;
        copy.data += i / kThreadsPerBlock % n_copies * first.size();
        deposit(i, AtomicAdd{copy});
    }
};

/// A block per share of the particles and group of channels; the image of the group is in shared memory.
template <class Real>
struct IntoTiles {
    Deposit<Real> deposit;
    Stack<double> sums;
    ProjectPlan plan;
    std::int64_t n;
    __device__ std::int64_t phases(std::int64_t) const { return 3; }
    __device__ void operator()(std::int64_t phase, const Place& place, double* shared) const {
        const std::int64_t share = place.block % plan.n_shares,
                           channel = place.block / plan.n_shares * plan.channels_each;
        const std::int64_t left = sums.items - channel,
                           channels = left < plan.channels_each ? left : plan.channels_each;
        const Stack<double> tile{shared, channels, sums.rows, sums.cols};
        if (phase == 0)
            for (std::int64_t k = place.thread; k < tile.size(); k += place.threads) shared[k] = 0;
        else if (phase == 1)
            for (std::int64_t i = share * place.threads + place.thread; i < n; i += plan.n_shares * place.threads)
                deposit(i, AtomicAddSome{tile, channel});
        else
            for (std::int64_t k = place.thread; k < tile.size(); k += place.threads)
                if (shared[k] != 0) atomicAdd(sums.item(channel) + k, shared[k]);
    }
};

/// Pixel k of the result: the sum of its copies, in their order.
template <class Real>
struct AddCopies {
    const double* copies;
    std::int64_t n_copies, size;
    Real* image;
    __device__ void operator()(std::int64_t k) const {
        double sum = 0;
        for (std::int64_t c = 0; c < n_copies; ++c) sum += copies[c * size + k];
        image[k] = Real(sum);
    }
};

int attribute(cudaDeviceAttr which, int device) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, device), "project");
    return value;
}

ProjectPlan plan_on(std::int64_t n, std::int64_t channels, std::int64_t rows, std::int64_t cols, int form, int device) {
    return plan_project(n, channels, rows, cols, attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
                        attribute(cudaDevAttrMultiProcessorCount, device), form);
}

}  // namespace

std::int64_t project_scratch(std::int64_t n, std::int64_t channels, std::int64_t rows, std::int64_t cols, int form,
                             int device) {
    const std::int64_t pixels = checked_product("image", channels, checked_product("image", rows, cols));
    return checked_product("image", pixels, plan_on(n, channels, rows, cols, form, device).n_copies);
}

template <class Real>
void project(const ops::Particles<Real>& particles, const ops::ProjectParams& params, int form, const Queue& queue,
             Span<double> scratch, const Stack<Real>& image) {
    ops::check_project(particles, params, image);
    const std::int64_t n = particles.positions.rows;
    checked_product("positions", n, particles.positions.cols);
    checked_product("weights", n, image.items);
    const std::int64_t size = checked_product("image", image.items, checked_product("image", image.rows, image.cols));
    const ProjectPlan plan = plan_on(n, image.items, image.rows, image.cols, form, queue.device);
    if (scratch.size < plan.n_copies * size)
        throw ArrayError("project: scratch must hold " + std::to_string(plan.n_copies * size) + " numbers, got " +
                         std::to_string(scratch.size));
    const Stack<double> sums{scratch.data, image.items, image.rows, image.cols};
    const Deposit<Real> deposit(particles, params, image.rows, image.cols, AtomicAdd{sums});
    clear(scratch.data, plan.n_copies * size, queue, "project");
    if (plan.form == ProjectPlan::tiles)
        for_each_block(n > 0 ? plan.n_groups * plan.n_shares : 0, std::size_t(plan.shared_bytes),
                       IntoTiles<Real>{deposit, sums, plan, n}, queue, "project");
    else
        for_each_index(n, IntoCopies<Real>{deposit, sums, plan.n_copies}, queue, "project");
    for_each_index(size, AddCopies<Real>{scratch.data, plan.n_copies, size, image.data}, queue, "project");
}

template void project<float>(const ops::Particles<float>&, const ops::ProjectParams&, int, const Queue&, Span<double>,
                             const Stack<float>&);
template void project<double>(const ops::Particles<double>&, const ops::ProjectParams&, int, const Queue&, Span<double>,
                              const Stack<double>&);

}  // namespace clustermass::cuda
