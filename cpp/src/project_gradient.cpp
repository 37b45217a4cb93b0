#include "clustermass/ops/project_gradient.hpp"

#include <algorithm>
#include <vector>

#include "clustermass/core/aligned.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"
#include "clustermass/ops/project_check.hpp"
#include "project_gradient_loops.hpp"

namespace clustermass::ops {
namespace {

constexpr std::int64_t kChunk = 1 << 12;  // particles; each is on its own, so this has no effect on the bits

const ProjectGradientLoops& loops() {
#if defined(CM_MULTI_ISA)
    return choose(best_isa(), &baseline::kProjectGradientLoops, &avx2::kProjectGradientLoops,
                  &avx512::kProjectGradientLoops);
#else
    return baseline::kProjectGradientLoops;
#endif
}

auto loop_of(const ProjectGradientLoops& table, const Particles<float>&) { return table.f32; }
auto loop_of(const ProjectGradientLoops& table, const Particles<double>&) { return table.f64; }

/// Copy one row of the image, its apron and the lanes beyond the channels zero. Row -kApron is the first.
template <class Real>
void fill_row(const Stack<const Real>& image, std::int64_t row, const DepositGrid& grid) {
    std::fill_n(grid.pixel(row, -kApron), grid.stride(), 0.0);
    if (row < 0 || row >= image.rows) return;
    double* const pixels = grid.pixel(row, 0);
    for (std::int64_t channel = 0; channel < image.items; ++channel) {
        const Real* const line = image.item(channel) + row * image.cols;
        for (std::int64_t col = 0; col < image.cols; ++col) pixels[col * grid.lanes + channel] = double(line[col]);
    }
}

template <class Real>
void check_outputs(const Particles<Real>& particles, const ParticleGradients<Real>& out) {
    const auto n = particles.positions.rows;
    const auto fits = [n](const Table<Real>& t, std::int64_t cols) {
        return t.rows == 0 || (t.rows == n && t.cols == cols);
    };
    if (!fits(out.positions, particles.positions.cols) || !fits(out.weights, particles.weights.cols))
        throw ArrayError("project_gradient: results must have the shapes of positions and weights, or no rows");
}

}  // namespace

template <class Real>
bool project_gradient(const Particles<Real>& particles, const ProjectParams& params, const Stack<const Real>& gradient,
                      const Parallel& run, const ParticleGradients<Real>& out) {
    check_project(particles, params, gradient);
    if (gradient.items > kMaxChannels) throw DomainError("project: the image must have at most 64 channels");
    check_outputs(particles, out);
    const auto loop = loop_of(loops(), particles);
    const AlignedNumbers numbers(DepositGrid::size(gradient.rows, gradient.cols, gradient.items));
    const DepositGrid grid{numbers.data(), gradient.rows, gradient.cols, DepositGrid::lanes_for(gradient.items)};
    parallel_chunks(gradient.rows + 2 * kApron, run, [&](std::int64_t row) { fill_row(gradient, row - kApron, grid); });
    const auto n = particles.positions.rows, n_chunks = (n + kChunk - 1) / kChunk;
    std::vector<char> valid(std::size_t(n_chunks), 0);
    parallel_chunks(n_chunks, run, [&](std::int64_t chunk) {
        const auto begin = chunk * kChunk, end = std::min(n, begin + kChunk);
        valid[std::size_t(chunk)] = loop(particles, params, begin, end, grid, out);
    });
    return std::all_of(valid.begin(), valid.end(), [](char ok) { return ok; });
}

#define CM_INSTANTIATE(Real)                                                                                     \
    template bool project_gradient<Real>(const Particles<Real>&, const ProjectParams&, const Stack<const Real>&, \
                                         const Parallel&, const ParticleGradients<Real>&);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::ops
