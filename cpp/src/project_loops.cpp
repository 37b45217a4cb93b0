#include "project_loops.hpp"

#include "deposit_sph.hpp"
#include "valid.hpp"

namespace clustermass::ops {
namespace CM_ISA {
namespace {

/// Put particles [first, first + block.n) into the block, in pixels. Returns whether their values are valid.
template <class Real>
bool place(const Particles<Real>& particles, const ProjectParams& params, std::int64_t first,
           Block<Real, Stretch>& block) {
    const std::int64_t dims = particles.positions.cols;
    const Real* const p = particles.positions.row(first);
    block.weights = particles.weights.row(first);
    block.ahead[0] = {p + kAhead * dims, dims};
    block.ahead[1] = {block.weights + kAhead * block.channels, block.channels};
    for (int i = 0; i < block.n; ++i) {
        block.row[i] = (double(p[i * dims]) - params.origin_row) * params.per_pixel;
        block.col[i] = (double(p[i * dims + 1]) - params.origin_col) * params.per_pixel;
    }
    bool valid = !any_not_finite(p, block.n * dims) && !any_not_finite(block.weights, block.n * block.channels);
    if (particles.smoothing_length.size) {
        block.smoothing_length = particles.smoothing_length.data + first;
        valid =
            valid && !any_not_finite(block.smoothing_length, block.n) && !any_negative(block.smoothing_length, block.n);
    }
    return valid;
}

template <class Real, int P>
bool deposit_range(const Particles<Real>& particles, const ProjectParams& params, std::int64_t begin, std::int64_t end,
                   const DepositGrid& grid) {
    Block<Real, Stretch> block;
    block.channels = particles.weights.cols;
    block.per_pixel = params.per_pixel;
    const SphDeposit<P, Real, Block<Real, Stretch>> sph(grid, params.kernel);
    bool valid = true;
    for (std::int64_t first = begin; first < end; first += kBlock) {
        block.n = int(end - first < kBlock ? end - first : kBlock);
        valid &= place(particles, params, first, block);
        deposit(block, grid, params.assignment, sph);
    }
    return valid;
}

template <class Real>
bool deposit_any(const Particles<Real>& particles, const ProjectParams& params, std::int64_t begin, std::int64_t end,
                 const DepositGrid& grid) {
    switch (grid.lanes) {
        case 1: return deposit_range<Real, 1>(particles, params, begin, end, grid);
        case 2: return deposit_range<Real, 2>(particles, params, begin, end, grid);
        case 4: return deposit_range<Real, 4>(particles, params, begin, end, grid);
        default: return deposit_range<Real, 0>(particles, params, begin, end, grid);
    }
}

}  // namespace

const ProjectLoops kProjectLoops{&deposit_any<float>, &deposit_any<double>};

}  // namespace CM_ISA
}  // namespace clustermass::ops
