#include "views_loops.hpp"

#include "deposit_sph.hpp"

namespace clustermass::ops {
namespace CM_ISA {
namespace {

constexpr int kCandidates = 64;  ///< rotated at a time; those in the field move to the block

/// Candidates that were rotated, before selection.
struct Rotated {
    double row[kCandidates], col[kCandidates], depth[kCandidates];
};

template <class Real>
void rotate(const ParticleIndex<const Real>& index, const math::View& view, const Run& run, std::int64_t from, int n,
            const DepositGrid& grid, Rotated& out) {
    const Real *const x = index.x.data + from, *const y = index.y.data + from, *const z = index.z.data + from;
    const double middle_row = 0.5 * double(grid.rows), middle_col = 0.5 * double(grid.cols);
    for (int i = 0; i < n; ++i) {
        const math::ViewPoint p = math::view_point(view, double(x[i]) - run.centre[0], double(y[i]) - run.centre[1],
                                                   double(z[i]) - run.centre[2]);
        out.row[i] = p.row + middle_row;
        out.col[i] = p.col + middle_col;
        out.depth[i] = p.depth;
    }
}

/// Append the candidates that lie in the slab and can touch the image. No branch: most columns hold both kinds.
template <class Real>
void select(const Rotated& rotated, int n, std::int64_t from, double half_depth, const DepositGrid& grid,
            Block<Real, Picked>& block) {
    const double row_end = double(grid.rows), col_end = double(grid.cols);
    int count = block.n;
    for (int i = 0; i < n; ++i) {
        const double row = rotated.row[i], col = rotated.col[i];
        const double reach =
            kApron + (block.smoothing_length ? double(block.smoothing_length[from + i]) * block.per_pixel : 0.0);
        block.row[count] = row;
        block.col[count] = col;
        block.items.item[count] = from + i;
        count += int(math::in_slab(rotated.depth[i], half_depth) & (row > -reach) & (row < row_end + reach) &
                     (col > -reach) & (col < col_end + reach));
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
    block.smoothing_length = params.assignment == Assignment::sph ? index.smoothing_length.data : nullptr;
    block.per_pixel = view.per_pixel;
    const SphDeposit<P, Real, Block<Real, Picked>> sph(grid, params.kernel);
    Rotated rotated;
    for (std::int64_t r = 0; r < runs.size; ++r) {
        const Run& run = runs[r];
        std::int64_t from = run.begin + (begin > run.before ? begin - run.before : 0);
        const std::int64_t stop = run.end < run.begin + end - run.before ? run.end : run.begin + end - run.before;
        for (; from < stop; from += kCandidates) {
            const int n = int(stop - from < kCandidates ? stop - from : kCandidates);
            rotate(index, view, run, from, n, grid, rotated);
            block.ahead[0] = {index.weights.data + (from + kAhead) * block.channels, block.channels};
            block.ahead[1] = {index.x.data + from + kAhead, 1};
            select(rotated, n, from, params.half_depth, grid, block);
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
