#include <algorithm>
#include <cmath>

#include "clustermass_cuda/kde_cluster.cuh"
#include "clustermass_cuda/ops.hpp"

/// A block of threads per cluster, float64 throughout. Sums over points are a matrix product where the cross terms of
/// the exponent can be taken apart (docs/phase-space.md), else every cell looks at every point: the plain form, which
/// the other one is tested against.
namespace clustermass::cuda {
namespace {

constexpr int kThreads = int(kThreadsPerBlock);
constexpr double kLimit = 290;               ///< powers of 2 that may be taken apart and cancel again
constexpr double kFaintest = 1e-100;         ///< of the weight of all points: fainter grids are done in the plain form
constexpr double kLargestExponent = 1e3;     ///< known to 2e-13
constexpr int kTileRows = 4, kTileCols = 4;  ///< cells that a thread sums together

/// What the threads of a block share besides tables and partial sums.
struct Shared : KdeCluster {
    double factor, is_apart;
};
constexpr std::int64_t kHead = (sizeof(Shared) + sizeof(double) - 1) / sizeof(double);

template <class Real>
struct EstimateDensity : KdeClusters<Real> {
    using Base = KdeClusters<Real>;
    using Base::begin;
    using Base::coordinate;
    using Base::count;
    using Base::first;
    using Base::from_middle;
    using Base::grid;
    using Base::kMoments;
    using Base::kPartials;
    using Base::points;
    using Base::reduce;
    using Base::rule;
    using Base::weight;
    static constexpr int kEnd = 5;  ///< phases after the chunks of points

    KdePlan plan;
    std::int64_t cells;
    double* sums;  ///< [block of this launch][cell], or the result itself
    Real* out;     ///< (clusters, cells)

    __device__ std::int64_t chunks(std::int64_t block) const {
        return plan.points > 0 ? (count(block) + plan.points - 1) / plan.points : 0;
    }
    __device__ std::int64_t phases(std::int64_t block) const { return kMoments + 2 * chunks(block) + kEnd; }

    __device__ void operator()(std::int64_t phase, const Place& place, double* memory) const {
        Shared& shared = *reinterpret_cast<Shared*>(memory);
        double* const partial = memory + kHead;
        double* const tables = partial + kPartials * kThreads;
        const std::int64_t in_chunks = phase - kMoments, n_chunk_phases = 2 * chunks(place.block);
        if (in_chunks < 0) {
            Base::moments(int(phase), place, shared, partial);
            if (phase == kMoments - 1 && place.thread == 0) decide(shared);
            return;
        }
        if (in_chunks < n_chunk_phases) {
            if (shared.is_apart == 0) return;
            const std::int64_t start = in_chunks / 2 * plan.points;
            if (in_chunks % 2 == 0)
                fill_tables(place, shared, tables, start);
            else
                multiply(place, tables, start);
            return;
        }
        finish(int(in_chunks - n_chunk_phases), place, shared, partial);
    }

private:
    /// Whether the cross terms of the exponent can be taken apart.
    __device__ void decide(Shared& shared) const {
        shared.factor = 0;
        const double* const p = shared.kernel.precision;
        double half[3], largest_exponent = 0;
        const double curvature[3] = {p[0], p[3], p[5]};
        for (int s = 0; s < 3; ++s) {
            half[s] = 0.5 * double(grid.n[s] - 1);
            largest_exponent = std::fmax(largest_exponent, 0.125 * curvature[s] * double(grid.n[s] * grid.n[s]));
        }
        const double cross = std::fabs(p[1]) * half[0] * half[1] + std::fabs(p[2]) * half[0] * half[2] +
                             std::fabs(p[4]) * half[1] * half[2];
        shared.is_apart = plan.points > 0 && largest_exponent <= kLargestExponent && cross <= kLimit ? 1.0 : 0.0;
    }

    // --- sums over points as a matrix product ---

    /// What each point of a chunk contributes along each slot: table[point][cell], the weight in that of slot 0.
    __device__ void fill_tables(const Place& place, const Shared& shared, double* tables, std::int64_t start) const {
        const std::int64_t n = chunk_size(place, start);
        const double* const p = shared.kernel.precision;
        const double curvature[3] = {p[0], p[3], p[5]};
        for (std::int64_t i = place.thread; i < n * plan.row; i += place.threads) {
            const std::int64_t point = begin(place.block) + start + i / plan.row, at = i % plan.row;
            const int slot = at < plan.stride[0] ? 0 : at < plan.stride[0] + plan.stride[1] ? 1 : 2;
            const std::int64_t cell = at - (slot > 0 ? plan.stride[0] : 0) - (slot > 1 ? plan.stride[1] : 0);
            if (cell >= grid.n[slot]) {
                tables[i] = 0;
                continue;
            }
            double a[3] = {}, vertex[3];  // from the point to the middle of the grid; place of the largest value
            for (int axis = 0; axis < grid.dims; ++axis) a[grid.slot[axis]] = -coordinate(point, axis);
            const double g[3] = {p[0] * a[0] + p[1] * a[1] + p[2] * a[2], p[1] * a[0] + p[3] * a[1] + p[4] * a[2],
                                 p[2] * a[0] + p[4] * a[1] + p[5] * a[2]};
            for (int s = 0; s < 3; ++s) {
                const double half = 0.5 * double(grid.n[s] - 1);
                vertex[s] = curvature[s] > 0 ? std::fmin(std::fmax(-g[s] / curvature[s], -half), half) : 0.0;
            }
            const math::AxisTerm<double> term = math::axis_term(g[slot], curvature[slot], vertex[slot]);
            const double k = double(cell) - 0.5 * double(grid.n[slot] - 1);
            double exponent = term.constant + k * (term.slope - 0.5 * curvature[slot] * k), scale = 1;
            if (slot == 0) {
                exponent += p[1] * vertex[0] * vertex[1] + p[2] * vertex[0] * vertex[2] + p[4] * vertex[1] * vertex[2] -
                            math::half_form(p, a[0] + vertex[0], a[1] + vertex[1], a[2] + vertex[2]);
                scale = weight(point, shared);
            }
            tables[i] = scale > 0 ? scale * std::exp2(exponent) : 0.0;
        }
    }

    /// Each thread sums kTileRows x kTileCols cells at a time.
    __device__ void multiply(const Place& place, const double* tables, std::int64_t start) const {
        const std::int64_t n = chunk_size(place, start), rows = plan.stride[0] / kTileRows,
                           cols = plan.stride[2] / kTileCols, middle = grid.n[1];
        for (std::int64_t tile = place.thread; tile < rows * middle * cols; tile += place.threads) {
            const std::int64_t row = tile / cols / middle * kTileRows, j = tile / cols % middle,
                               col = tile % cols * kTileCols;
            double sum[kTileRows][kTileCols] = {};
            const double* table = tables;
            for (std::int64_t i = 0; i < n; ++i, table += plan.row) {
                const double along_middle = table[plan.stride[0] + j];
                double r[kTileRows], c[kTileCols];
                for (int k = 0; k < kTileRows; ++k) r[k] = table[row + k] * along_middle;
                for (int k = 0; k < kTileCols; ++k) c[k] = table[plan.stride[0] + plan.stride[1] + col + k];
                for (int k = 0; k < kTileRows; ++k)
                    for (int l = 0; l < kTileCols; ++l) sum[k][l] += r[k] * c[l];
            }
            for (int k = 0; k < kTileRows; ++k)
                for (int l = 0; l < kTileCols; ++l) {
                    if (row + k >= grid.n[0] || col + l >= grid.n[2]) continue;
                    double& to = own_sums(place)[((row + k) * middle + j) * grid.n[2] + col + l];
                    to = start > 0 ? to + sum[k][l] : sum[k][l];
                }
        }
    }

    // --- the end: cross terms or the plain form, and the normalisation ---

    __device__ void finish(int phase, const Place& place, Shared& shared, double* partial) const {
        double* const grid_sums = own_sums(place);
        const bool is_empty = !(shared.total > 0) || shared.is_finite == 0;
        if (phase == 0) {  // put the cross terms back
            double peak = 0;
            for (std::int64_t k = place.thread; k < cells; k += place.threads) {
                if (shared.is_apart == 0 || is_empty) continue;
                grid_sums[k] *= std::exp2(-cross_exponent(shared.kernel.precision, k));
                peak = std::fmax(peak, grid_sums[k]);
            }
            partial[place.thread] = peak;
        } else if (phase == 1) {  // every thread comes to the same answer
            double peak = 0;
            for (int t = 0; t < kThreads; ++t) peak = std::fmax(peak, partial[t]);
            const bool is_plain = !is_empty && (shared.is_apart == 0 || peak < kFaintest * shared.total);
            partial[kThreads + place.thread] = is_plain ? 1.0 : 0.0;
        } else if (phase == 2) {
            const bool is_plain = partial[kThreads + place.thread] != 0;
            double sum = 0;
            for (std::int64_t k = place.thread; k < cells; k += place.threads) {
                if (is_empty)
                    grid_sums[k] = 0;
                else if (is_plain)
                    grid_sums[k] = plain(place, shared, k);
                sum += grid_sums[k];
            }
            partial[place.thread] = sum;
        } else if (phase == 3) {
            reduce(place, partial, 1);
            if (place.thread == 0)
                shared.factor =
                    is_empty ? 0 : ops::normalisation(rule.normalise, shared.kernel, partial[0], shared.largest_weight);
        } else {
            Real* const to = out + (first + place.block) * cells;
            const double factor = shared.is_finite == 0 ? NAN : shared.factor;
            for (std::int64_t k = place.thread; k < cells; k += place.threads)
                to[k] = Real(is_empty && shared.is_finite != 0 ? 0.0 : grid_sums[k] * factor);
        }
    }

    /// Sum over all points at one cell, term by term.
    __device__ double plain(const Place& place, const Shared& shared, std::int64_t cell) const {
        const std::int64_t from = begin(place.block), n = count(place.block);
        double k[3], sum = 0;
        from_middle(cell, k);
        for (std::int64_t i = from; i < from + n; ++i) {
            double d[3] = {};
            for (int axis = 0; axis < grid.dims; ++axis) {
                const int slot = grid.slot[axis];
                d[slot] = k[slot] - coordinate(i, axis);
            }
            const double w = weight(i, shared);
            if (w > 0) sum += w * std::exp2(-math::half_form(shared.kernel.precision, d[0], d[1], d[2]));
        }
        return sum;
    }

    __device__ double cross_exponent(const double* p, std::int64_t cell) const {
        double k[3];
        from_middle(cell, k);
        return p[1] * k[0] * k[1] + p[2] * k[0] * k[2] + p[4] * k[1] * k[2];
    }
    __device__ std::int64_t chunk_size(const Place& place, std::int64_t start) const {
        const std::int64_t left = count(place.block) - start;
        return left < plan.points ? left : plan.points;
    }
    __device__ double* own_sums(const Place& place) const { return sums + place.block * cells; }
};

}  // namespace

template <class Real>
void estimate_density(const Table<const Real>& points, const std::int64_t* offsets, const Real* weights,
                      const double* axes, const ops::KdeRule& rule, int form, const Queue& queue, Span<double> scratch,
                      const Table<Real>& out) {
    if (points.cols < 1 || points.cols > 3) throw ArrayError("kde: points must have 1 to 3 columns");
    const ops::KdeGrid grid = ops::make_grid(Table<const double>{axes, points.cols, 3});
    const std::int64_t cells = grid.size(), square = points.cols * points.cols;
    checked_product("out", out.rows, cells);
    if (out.cols != cells) throw ArrayError("kde: the result must have a column per cell of the grid");
    if (rule.kernel.size != 0 && rule.kernel.size != square && rule.kernel.size != out.rows * square)
        throw ArrayError("kde: needs no covariance, one, or one per cluster");
    constexpr bool kInPlace = sizeof(Real) == sizeof(double);
    const std::int64_t at_once = kInPlace ? std::max<std::int64_t>(1, out.rows) : scratch.size / cells;
    if (at_once < 1) throw ArrayError("kde: scratch must hold a grid, " + std::to_string(cells) + " numbers");
    const KdePlan plan = plan_kde(grid.n, kTileRows, kTileCols, form);
    const std::int64_t shared = kHead + KdeClusters<Real>::kPartials * kThreads + plan.points * plan.row;
    for (std::int64_t first = 0; first < out.rows; first += at_once) {
        auto* const sums = kInPlace ? reinterpret_cast<double*>(out.data) + first * cells : scratch.data;
        const EstimateDensity<Real> body{{points, offsets, weights, grid, rule, first}, plan, cells, sums, out.data};
        for_each_block(std::min(at_once, out.rows - first), std::size_t(shared) * sizeof(double), body, queue, "kde");
    }
}

#define CM_INSTANTIATE(Real)                                                                                        \
    template void estimate_density<Real>(const Table<const Real>&, const std::int64_t*, const Real*, const double*, \
                                         const ops::KdeRule&, int, const Queue&, Span<double>, const Table<Real>&);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::cuda
