#include "views_loops.hpp"

#include "deposit_sph.hpp"

namespace clustermass::ops {
namespace CM_ISA {
namespace {

constexpr int kCandidates = 128;  ///< rotated at a time; those in the field move to the block

/// Candidates that were rotated, before selection.
struct Rotated {
    alignas(64) double row[kCandidates], col[kCandidates];
    alignas(64) std::int64_t keep[kCandidates];  ///< 1 where it lies in the slab and can touch the image, else 0
};

/// Particles [from, from + n) of the index seen in the view. `support`: their smoothing lengths where sph is used.
template <bool IsSph, class Real>
void rotate(const ParticleIndex<const Real>& index, const math::View& view, const Run& run, std::int64_t from, int n,
            double half_depth, const DepositGrid& grid, Rotated& out) {
    const Real *const x = index.x.data + from, *const y = index.y.data + from, *const z = index.z.data + from;
    const Real* const support = index.smoothing_length.data + from;
    const double rows = double(grid.rows), cols = double(grid.cols), half_rows = 0.5 * rows, half_cols = 0.5 * cols;
    const math::View v = view;
    const double cx = run.centre[0], cy = run.centre[1], cz = run.centre[2];
    for (int i = 0; i < n; ++i) {
        const math::ViewPoint p = math::view_point(v, double(x[i]) - cx, double(y[i]) - cy, double(z[i]) - cz);
        const double row = p.row + half_rows, col = p.col + half_cols;
        double reach = double(kApron);
        if constexpr (IsSph) reach += double(support[i]) * v.per_pixel;
        out.row[i] = row;
        out.col[i] = col;
        out.keep[i] = math::in_slab(p.depth, half_depth) & (row > -reach) & (row < rows + reach) & (col > -reach) &
                      (col < cols + reach);
    }
}

/// Append those to keep. No branch: most columns hold both kinds, in no order.
template <class Real>
void select(const Rotated& rotated, int n, std::int64_t from, Block<Real, Picked>& block) {
    int count = block.n;
    for (int i = 0; i < n; ++i) {
        block.row[count] = rotated.row[i];
        block.col[count] = rotated.col[i];
        block.items.item[count] = from + i;
        count += int(rotated.keep[i]);
    }
    block.n = count;
}

template <class Real, int P>
void deposit_runs(const ParticleIndex<const Real>& index, const math::View& view, const ViewsParams& params,
                  Span<const Run> runs, std::int64_t begin, std::int64_t end, const DepositGrid& grid) {
    Block<Real, Picked> block;
    block.n = 0;
    block.weights = index.weights.data;
    block.channels = index.weights.cols;
    block.smoothing_length = index.smoothing_length.data;
    block.per_pixel = view.per_pixel;
    const SphDeposit<P, Real, Block<Real, Picked>> sph(grid, params.kernel);
    const bool is_sph = params.assignment == Assignment::sph;
    Rotated rotated;
    for (std::int64_t r = 0; r < runs.size; ++r) {
        const Run& run = runs[r];
        std::int64_t from = run.begin + (begin > run.before ? begin - run.before : 0);
        const std::int64_t stop = run.end < run.begin + end - run.before ? run.end : run.begin + end - run.before;
        for (; from < stop; from += kCandidates) {
            const int n = int(stop - from < kCandidates ? stop - from : kCandidates);
            is_sph ? rotate<true>(index, view, run, from, n, params.half_depth, grid, rotated)
                   : rotate<false>(index, view, run, from, n, params.half_depth, grid, rotated);
            block.ahead[0] = {index.weights.data + (from + kAhead) * block.channels, block.channels};
            block.ahead[1] = {index.x.data + from + kAhead, 1};
            select(rotated, n, from, block);
            if (block.n > kBlock - kCandidates) {
                deposit(block, grid, params.assignment, sph);
                block.n = 0;
            }
        }
    }
    if (block.n) deposit(block, grid, params.assignment, sph);
}

template <class Real>
void deposit_any(const ParticleIndex<const Real>& index, const math::View& view, const ViewsParams& params,
                 Span<const Run> runs, std::int64_t begin, std::int64_t end, const DepositGrid& grid) {
    switch (grid.lanes) {
        case 1: return deposit_runs<Real, 1>(index, view, params, runs, begin, end, grid);
        case 2: return deposit_runs<Real, 2>(index, view, params, runs, begin, end, grid);
        case 4: return deposit_runs<Real, 4>(index, view, params, runs, begin, end, grid);
        default: return deposit_runs<Real, 0>(index, view, params, runs, begin, end, grid);
    }
}

}  // namespace

const ViewsLoops kViewsLoops{&deposit_any<float>, &deposit_any<double>};

}  // namespace CM_ISA
}  // namespace clustermass::ops
