#include "project_gradient_loops.hpp"

#include "gather.hpp"
#include "valid.hpp"

namespace clustermass::ops {
namespace CM_ISA {
namespace {

constexpr std::int64_t kLookAt = 256;  ///< particles whose values are checked at once, while they are in the cache

template <class Real>
bool is_valid(const Particles<Real>& particles, std::int64_t first, std::int64_t n) {
    const std::int64_t dims = particles.positions.cols, channels = particles.weights.cols;
    bool valid = !any_not_finite(particles.positions.row(first), n * dims) &&
                 !any_not_finite(particles.weights.row(first), n * channels);
    if (particles.smoothing_length.size) {
        const Real* const h = particles.smoothing_length.data + first;
        valid = valid && !any_not_finite(h, n) && !any_negative(h, n);
    }
    return valid;
}

template <class Real, int P>
bool gather_range(const Particles<Real>& particles, const ProjectParams& params, std::int64_t begin, std::int64_t end,
                  const DepositGrid& grid, const ParticleGradients<Real>& out) {
    const Gather<P, Real> gather(particles, params, grid, out);
    for (std::int64_t first = begin; first < end; first += kLookAt) {
        const std::int64_t n = end - first < kLookAt ? end - first : kLookAt;
        if (!is_valid(particles, first, n)) return false;
        gather(first, n);
    }
    return true;
}

template <class Real>
bool gather_any(const Particles<Real>& particles, const ProjectParams& params, std::int64_t begin, std::int64_t end,
                const DepositGrid& grid, const ParticleGradients<Real>& out) {
    switch (grid.lanes) {
        case 1: return gather_range<Real, 1>(particles, params, begin, end, grid, out);
        case 2: return gather_range<Real, 2>(particles, params, begin, end, grid, out);
        case 4: return gather_range<Real, 4>(particles, params, begin, end, grid, out);
        default: return gather_range<Real, 0>(particles, params, begin, end, grid, out);
    }
}

}  // namespace

const ProjectGradientLoops kProjectGradientLoops{&gather_any<float>, &gather_any<double>};

}  // namespace CM_ISA
}  // namespace clustermass::ops
