#pragma once
#include <cstdint>

#include "clustermass/core/parallel.hpp"
#include "clustermass/core/span.hpp"
#include "clustermass/math/kde.hpp"

namespace clustermass::ops {

/// A regular grid in three slots: the axes of one dimension lie in slot 2, of two in slots 0 and 2. A slot that is
/// not used has one cell.
struct KdeGrid {
    int dims;
    int slot[3];           ///< of each axis
    bool is_used[3];       ///< of each slot
    std::int64_t n[3];     ///< cells of each slot
    double centre[3];      ///< middle of the grid along each axis
    double per_length[3];  ///< cells per unit of each axis

    std::int64_t size() const { return n[0] * n[1] * n[2]; }
};

/// Points of one cluster, (n, dims), and their weights or null.
template <class Real>
struct KdePoints {
    const Real* points;
    const Real* weights;
    std::int64_t n;
    double weight_scale;  ///< one over the largest weight, so that it becomes 1
};

/// Sums over the points of a cluster, with the largest weight as 1.
struct KdeMoments {
    double total, total_squares;  ///< of weights and of their squares
    double covariance[9];         ///< unbiased, of the axes [cell^2]; 0 where it is not defined
    bool is_finite;
};

/// Largest value of a grid and sum of all.
struct KdeSummary {
    double peak, sum;
};

/// The hot loops, compiled once per instruction set.
template <class Real>
struct KdeLoops {
    KdeMoments (*moments)(const KdePoints<Real>&, const KdeGrid&);
    /// Bytes that `evaluate` needs, starting on a 64-byte boundary.
    std::int64_t (*scratch_bytes)(const KdeGrid&);
    /// Sum over points of weight x 2^(-d P d / 2) at every cell, for the upper triangle P of slots [cell^-2], d = cell
    /// minus point. Parts of the exponent up to `limit` are taken apart and cancel again, which saves work; terms that
    /// get lost are below 2^(2 limit - 126) in float32, 2^(2 limit - 1022) in float64.
    KdeSummary (*evaluate)(const KdePoints<Real>&, const KdeGrid&, const double* precision, double limit, void* scratch,
                           Real* out);
    void (*scale)(Real* values, std::int64_t n, double factor);
};

enum class KdeNormalise { sum, density, none };

struct KdeRule {
    math::Bandwidth bandwidth;
    double factor;              ///< of a fixed bandwidth
    Span<const double> kernel;  ///< covariance of the kernel: none, dims^2 numbers, or as many per cluster
    KdeNormalise normalise;
};

/// Density of each cluster on the same grid. `axes` has a row (first, step, n) per axis; `weights` is empty or has one
/// number >= 0 per point; `out` has a row per cluster. Returns false when a point is NaN, infinite or so far out that
/// its square overflows: `out` then holds nothing of use. Bitwise independent of the number of threads; each running
/// one holds at most about 3 MB.
template <class Real>
bool estimate_density(Table<const Real> points, Span<const std::int64_t> offsets, Span<const Real> weights,
                      Table<const double> axes, const KdeRule& rule, const Parallel& run, Table<Real> out);

}  // namespace clustermass::ops
