#include "clustermass/ops/subsample_body.hpp"
#include "clustermass_cuda/launch.cuh"
#include "clustermass_cuda/ops.hpp"

namespace clustermass::cuda {
namespace {

/// One worker's table: entry i of all workers lie side by side, so that neighbouring threads write neighbouring words.
struct Permutation {
    std::uint32_t* first;
    std::int64_t stride;
    __device__ std::uint32_t& operator[](std::uint32_t i) const { return first[i * stride]; }
};

/// One thread draws rows worker, worker + n_workers, ...: a row is a chain of dependent steps.
struct DrawRows {
    ops::Subsampling job;
    PhiloxKey key;
    std::int64_t n_rows, n_workers;
    std::uint32_t* scratch;

    __device__ void operator()(std::int64_t worker) const {
        for (std::int64_t row = worker; row < n_rows; row += n_workers)
            ops::draw_row(job, key, row, Permutation{scratch + worker, n_workers});
    }
};

struct DrawUniform {
    Span<const std::int64_t> items;
    PhiloxKey key;
    double* out;
    __device__ void operator()(std::int64_t i) const { out[i] = ops::draw_uniform(items[i], key); }
};

}  // namespace

void subsample(const ops::Subsampling& job, std::uint64_t seed, std::int64_t max_members, Span<std::uint32_t> scratch,
               const Queue& queue) {
    const std::int64_t n_rows = checked_product("draw_offsets", job.items.size, job.n_draws);
    if (job.n_draws < 1 || job.n_draws > 0xffffffff) throw DomainError("`n_draws` must be from 1 to 2^32 - 1");
    if (max_members >= ops::kMaxMembers) throw DomainError("`max_members` must be below 2^32");
    const std::int64_t n_workers = subsample_workers(n_rows, max_members, scratch.size);
    const DrawRows draw{job, philox_key(seed, Stream::subsample), n_rows, n_workers, scratch.data};
    for_each_index(n_workers, draw, queue, "subsample");
}

void subsample_uniform(Span<const std::int64_t> items, std::uint64_t seed, const Queue& queue, double* out) {
    for_each_index(items.size, DrawUniform{items, philox_key(seed, Stream::uniform), out}, queue, "subsample_uniform");
}

}  // namespace clustermass::cuda
