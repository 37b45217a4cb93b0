#pragma once
#include <cstdint>

#include "clustermass/core/isa.hpp"
#include "clustermass/core/parallel.hpp"
#include "clustermass/core/span.hpp"

namespace clustermass::ops {

/// Clusters of points: those of cluster i are rows offsets[i] .. offsets[i + 1] of `points`.
template <class Real>
struct PointSets {
    Table<const Real> points;
    Span<const std::int64_t> offsets;
    std::int64_t size() const { return offsets.size - 1; }
};

struct DivergenceRule {
    std::int64_t k;     ///< which neighbour
    double alpha;       ///< order of the Renyi divergence; 1: Kullback-Leibler
    bool is_one_batch;  ///< rows and columns are the same clusters: those with themselves are 0
};

/// Data of a neighbour search are padded to a multiple of this with points at infinity.
inline constexpr std::int64_t kNeighbourGroup = 4;
/// Queries may be read, and results written, up to this far beyond their end.
inline constexpr std::int64_t kNeighbourPadding = 64;

/// The hot loops, compiled per instruction set.
template <class Real>
struct DivergenceLoops {
    /// out[i] = square of the distance from query i to its k-th neighbour among n_data points (padded). Coordinates
    /// lie one axis after another, `query_stride` and n_data apart. Scratch: k + 1 vectors of 64 bytes.
    void (*kth_squares)(const Real* queries, std::int64_t query_stride, std::int64_t n_queries, const Real* data,
                        std::int64_t n_data, int dims, std::int64_t k, Real* scratch, Real* out);
    /// The same bits for one dimension, where queries and the n_data points (not padded) rise: O(n).
    void (*kth_squares_sorted)(const Real* queries, std::int64_t n_queries, const Real* data, std::int64_t n_data,
                               std::int64_t k, Real* out);
    /// Sum of ln max(squares[i], lowest).
    double (*sum_log)(const Real* squares, std::int64_t n, double lowest);
    /// ln of the mean of exp(power (log_rho2[i] - ln max(squares[i], lowest))).
    double (*log_mean_power)(const Real* squares, const double* log_rho2, std::int64_t n, double power, double lowest);
};

template <class Real>
const DivergenceLoops<Real>& divergence_loops(Isa isa);

/// out(i, j) = divergence of cluster i of `rows` from cluster j of `columns`: exact nearest neighbours, by comparison
/// with every point. Values must be finite, and their squares too.
template <class Real>
void divergences(const PointSets<Real>& rows, const PointSets<Real>& columns, const DivergenceRule& rule,
                 const Parallel& run, Table<double> out);

}  // namespace clustermass::ops
