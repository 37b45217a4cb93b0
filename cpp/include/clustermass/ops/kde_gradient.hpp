#pragma once
#include <cstdint>

#include "clustermass/ops/kde.hpp"

namespace clustermass::ops {

/// Sums over the cells X of a grid of G e (one, and X along each slot from the middle of the grid), for each point of a
/// cluster; e is the point's 2^(-d P d / 2).
struct KdeGathered {
    double* value;     ///< (n)
    double* first[3];  ///< (n) of each slot; of slots that are not used it may be null
};

/// The hot loops, compiled once per instruction set.
struct KdeGradientLoops {
    /// Bytes that `gather` needs, starting on a 64-byte boundary.
    std::int64_t (*scratch_bytes)(const KdeGrid&);
    /// The sums for all points, `gradient` G being of the shape of the grid. As long as what is taken apart of the
    /// exponents stays below what float64 can hold: the caller sees to that.
    void (*gather)(const KdePoints<double>&, const KdeGrid&, const double* precision, const double* gradient,
                   void* scratch, const KdeGathered& out);
    /// Sums over the cells X of the product of two grids times one, X along each slot, and the upper triangle of X X^T:
    /// ten numbers, positions from the middle of the grid.
    void (*cell_moments)(const double* a, const double* b, const KdeGrid&, double* sums);
};

/// Pull the gradient of a scalar by the grids (a row per cluster) back to the points and weights that
/// `estimate_density` made them of, with all that depends on them: the kernel's covariance and bandwidth, and the
/// normalisation. Worked out in float64. Tables and arrays of no rows are not wanted. Returns false, and is bitwise
/// independent of the number of threads, as `estimate_density`.
template <class Real>
bool differentiate_density(Table<const Real> points, Span<const std::int64_t> offsets, Span<const Real> weights,
                           Table<const double> axes, const KdeRule& rule, Table<const Real> gradient,
                           const Parallel& run, Table<Real> by_points, Span<Real> by_weights);

}  // namespace clustermass::ops
