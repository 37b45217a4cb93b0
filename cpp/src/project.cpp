#include "clustermass/ops/project.hpp"

#include <algorithm>
#include <vector>

#include "clustermass/core/aligned.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"
#include "clustermass/ops/project_check.hpp"
#include "project_loops.hpp"
#include "reduce.hpp"

namespace clustermass::ops {
namespace {

constexpr std::int64_t kMaxChunks = 16;           // bounds the scratch memory, whatever the number of threads
constexpr std::int64_t kMinChunk = 1 << 18;       // particles; a smaller chunk is not worth a grid
constexpr std::int64_t kMinSphChunk = 1 << 15;    // their deposits take longer
constexpr std::int64_t kMaxScratch = 16'000'000;  // numbers (128 MB) in all grids together, or one grid

/// Fixed by the input alone, so that the result does not depend on the number of threads.
std::int64_t count_chunks(std::int64_t n, std::int64_t grid_size, Assignment assignment) {
    const std::int64_t wanted = n / (assignment == Assignment::sph ? kMinSphChunk : kMinChunk);
    return std::clamp<std::int64_t>(std::min(wanted, kMaxScratch / grid_size), 1, kMaxChunks);
}

const ProjectLoops& loops() {
#if defined(CM_MULTI_ISA)
    return choose(best_isa(), &baseline::kProjectLoops, &avx2::kProjectLoops, &avx512::kProjectLoops);
#else
    return baseline::kProjectLoops;
#endif
}

auto loop_of(const ProjectLoops& table, const Particles<float>&) { return table.f32; }
auto loop_of(const ProjectLoops& table, const Particles<double>&) { return table.f64; }

}  // namespace

template <class Real>
bool project(const Particles<Real>& particles, const ProjectParams& params, const Parallel& run,
             const Stack<Real>& out) {
    check_project(particles, params, out);
    if (out.items > kMaxChannels) throw DomainError("project: the image must have at most 64 channels");
    const auto loop = loop_of(loops(), particles);
    const auto n = particles.positions.rows, lanes = DepositGrid::lanes_for(out.items);
    const auto grid_size = DepositGrid::size(out.rows, out.cols, out.items);
    const auto n_chunks = count_chunks(n, grid_size, params.assignment);
    const AlignedNumbers scratch(n_chunks * grid_size);
    std::vector<char> valid(std::size_t(n_chunks), 0);
    const auto grid = [&](std::int64_t chunk) {
        return DepositGrid{scratch.data() + chunk * grid_size, out.rows, out.cols, lanes};
    };
    parallel_chunks(n_chunks, run, [&](std::int64_t chunk) {
        std::fill_n(grid(chunk).data, grid_size, 0.0);
        valid[std::size_t(chunk)] =
            loop(particles, params, n * chunk / n_chunks, n * (chunk + 1) / n_chunks, grid(chunk));
    });
    parallel_chunks(out.rows, run, [&](std::int64_t row) {
        reduce_row(grid(0), n_chunks, grid_size, row, out, [](Real& value, double sum) { value = Real(sum); });
    });
    return std::all_of(valid.begin(), valid.end(), [](char ok) { return ok; });
}

#define CM_INSTANTIATE(Real) \
    template bool project<Real>(const Particles<Real>&, const ProjectParams&, const Parallel&, const Stack<Real>&);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::ops
