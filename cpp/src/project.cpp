#include "clustermass/ops/project.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"
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

template <class Real>
void check(const Particles<Real>& particles, const ProjectParams& params, const Stack<Real>& out) {
    if (!(params.per_pixel > 0 && std::isfinite(params.per_pixel)))
        throw DomainError("project: pixel size must be positive and finite");
    if (!std::isfinite(params.origin_row) || !std::isfinite(params.origin_col))
        throw DomainError("project: origin must be finite");
    if (out.rows < 1 || out.cols < 1 || out.items < 1 || out.items > kMaxChannels)
        throw DomainError("project: the image needs at least one pixel and 1 to 64 channels");
    const auto n = particles.positions.rows;
    if (particles.positions.cols < 2 || particles.weights.rows != n || particles.weights.cols != out.items)
        throw ArrayError("project: positions, weights and image do not fit together");
    if (params.assignment == Assignment::sph ? particles.smoothing_length.size != n : particles.smoothing_length.size)
        throw ArrayError("project: a smoothing length per particle goes with sph, and only with it");
}

}  // namespace

template <class Real>
bool project(const Particles<Real>& particles, const ProjectParams& params, const Parallel& run,
             const Stack<Real>& out) {
    check(particles, params, out);
    const auto loop = loop_of(loops(), particles);
    const auto n = particles.positions.rows, lanes = DepositGrid::lanes_for(out.items);
    const auto grid_size = DepositGrid::size(out.rows, out.cols, out.items);
    const auto n_chunks = count_chunks(n, grid_size, params.assignment);
    std::vector<double> scratch(std::size_t(n_chunks * grid_size), 0.0);
    std::vector<char> valid(std::size_t(n_chunks), 0);
    const auto grid = [&](std::int64_t chunk) {
        return DepositGrid{scratch.data() + chunk * grid_size, out.rows, out.cols, lanes};
    };
    parallel_chunks(n_chunks, run, [&](std::int64_t chunk) {
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
