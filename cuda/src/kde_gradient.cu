#include <cmath>

#include "clustermass/ops/kde_gradient_body.hpp"
#include "clustermass_cuda/kde_cluster.cuh"
#include "clustermass_cuda/ops.hpp"

/// A block of threads per cluster, float64 throughout, cell by cell: every point looks at every cell twice.
namespace clustermass::cuda {
namespace {

constexpr int kThreads = int(kThreadsPerBlock);
constexpr int kTile = int(kThreadsPerBlock / kWarp);  ///< points at a time: kWarp threads share the cells of one
constexpr int kSecond = 6, kKept = 4, kSums = kKept + kSecond;  ///< of a point: g e, times d; times d d^T

/// Place of (a, b) in an upper triangle {00, 01, 02, 11, 12, 22}.
CM_HD int upper(int a, int b) { return a <= b ? a * (5 - a) / 2 + b : b * (5 - b) / 2 + a; }

struct Shared : KdeCluster {
    double shift;                       ///< power of 2 that all terms are multiplied by; a sum of 1 divides it out
    double is_empty;                    ///< flag: nothing reaches the grid
    double mean_gradient, scale;        ///< g = (G - mean_gradient) * scale
    double by_volume, second[kSecond];  ///< of slots, upper triangle
    math::DensitySlope slope;
};
constexpr std::int64_t kHead = (sizeof(Shared) + sizeof(double) - 1) / sizeof(double);

template <class Real>
struct DifferentiateDensity : KdeClusters<Real> {
    using Base = KdeClusters<Real>;
    using Base::begin;
    using Base::coordinate;
    using Base::count;
    using Base::first;
    using Base::from_middle;
    using Base::grid;
    using Base::kMoments;
    using Base::points;
    using Base::reduce;
    using Base::rule;
    using Base::weight;
    static constexpr int kNormalise = 4;  ///< phases between the moments and the points

    std::int64_t cells;
    const Real* gradient;  ///< (clusters, cells)
    double* kept;          ///< (points, kKept)
    Real *by_points, *by_weights;

    __device__ std::int64_t tiles(std::int64_t block) const { return (count(block) + kTile - 1) / kTile; }
    __device__ std::int64_t phases(std::int64_t block) const { return kMoments + kNormalise + 2 * tiles(block) + 2; }

    __device__ void operator()(std::int64_t phase, const Place& place, double* memory) const {
        Shared& shared = *reinterpret_cast<Shared*>(memory);
        double* const partial = memory + kHead;
        if (phase < kMoments) return Base::moments(int(phase), place, shared, partial);
        phase -= kMoments;
        if (phase < kNormalise) return normalise(int(phase), place, shared, partial);
        phase -= kNormalise;
        if (phase < 2 * tiles(place.block))
            return phase % 2 == 0 ? sum_cells(phase / 2 * kTile, place, shared, partial)
                                  : add_up(phase / 2 * kTile, place, shared, partial);
        if (phase == 2 * tiles(place.block)) {
            if (place.thread == 0) make_slope(shared);
        } else {
            write(place, shared);
        }
    }

private:
    __device__ static bool has_none(const Shared& shared) { return shared.is_finite == 0 || !(shared.total > 0); }

    /// Power of 2 of a point's term at a cell, and d = cell minus point, of slots.
    __device__ double exponent(const Shared& shared, std::int64_t point, std::int64_t cell, double (&d)[3]) const {
        from_middle(cell, d);
        for (int axis = 0; axis < grid.dims; ++axis) d[grid.slot[axis]] -= coordinate(point, axis);
        return math::half_form(shared.kernel.precision, d[0], d[1], d[2]);
    }

    /// The sum of the raw grid f and of G f, and what they make of G.
    __device__ void normalise(int phase, const Place& place, Shared& shared, double* partial) const {
        const std::int64_t from = begin(place.block), all = count(place.block) * cells;
        double* const own = partial + place.thread;
        const bool shifts = rule.normalise == ops::KdeNormalise::sum;
        if (phase == 0) {
            double least = HUGE_VAL, d[3];
            for (std::int64_t k = place.thread; shifts && !has_none(shared) && k < all; k += place.threads)
                if (weight(from + k / cells, shared) > 0)
                    least = std::fmin(least, exponent(shared, from + k / cells, k % cells, d));
            own[0] = least;
        } else if (phase == 1) {
            if (place.thread != 0) return;
            double least = HUGE_VAL;
            for (int t = 0; t < kThreads; ++t) least = std::fmin(least, partial[t]);
            shared.shift = shifts && least < HUGE_VAL ? least : 0.0;
        } else if (phase == 2) {
            const Real* const g = gradient + (first + place.block) * cells;
            double sum = 0, along = 0, d[3];
            for (std::int64_t k = place.thread; !has_none(shared) && k < all; k += place.threads) {
                const std::int64_t point = from + k / cells, cell = k % cells;
                const double w = weight(point, shared),
                             f = w > 0 ? w * std::exp2(shared.shift - exponent(shared, point, cell, d)) : 0.0;
                sum += f;
                along += double(g[cell]) * f;
            }
            own[0] = sum;
            own[kThreads] = along;
        } else if (place.thread == 0) {
            set_normalisation(shared, partial);
        }
    }

    __device__ void set_normalisation(Shared& shared, const double* partial) const {
        double sum = 0, along = 0;
        for (int t = 0; t < kThreads; ++t) {
            sum += partial[t];
            along += partial[kThreads + t];
        }
        shared.is_empty = has_none(shared) || !(sum > 0) ? 1.0 : 0.0;
        shared.mean_gradient = shared.by_volume = 0;
        for (double& value : shared.second) value = 0;
        if (rule.normalise == ops::KdeNormalise::sum) {
            shared.mean_gradient = along / sum;
            shared.scale = 1 / sum;
        } else if (rule.normalise == ops::KdeNormalise::density) {
            shared.scale = shared.kernel.per_volume;
            shared.by_volume = along * shared.scale;
        } else {
            shared.scale = shared.largest_weight;
        }
    }

    /// partial[sum][thread] of the points of a tile: each thread takes some cells of one point.
    __device__ void sum_cells(std::int64_t start, const Place& place, const Shared& shared, double* partial) const {
        const std::int64_t i = start + place.thread / kWarp;
        const Real* const all = gradient + (first + place.block) * cells;
        double sum[kSums] = {}, d[3];
        if (i < count(place.block) && shared.is_empty == 0)
            for (std::int64_t cell = place.thread % kWarp; cell < cells; cell += kWarp) {
                const double e = std::exp2(shared.shift - exponent(shared, begin(place.block) + i, cell, d));
                const double term = (double(all[cell]) - shared.mean_gradient) * shared.scale * e;
                sum[0] += term;
                for (int a = 0; a < 3; ++a) {
                    sum[1 + a] += term * d[a];
                    for (int b = a; b < 3; ++b) sum[kKept + upper(a, b)] += term * d[a] * d[b];
                }
            }
        for (int q = 0; q < kSums; ++q) partial[q * kThreads + place.thread] = sum[q];
    }

    /// Keep what each point of a tile needs at the end, and add up what all share.
    __device__ void add_up(std::int64_t start, const Place& place, Shared& shared, const double* partial) const {
        const std::int64_t from = begin(place.block) + start, left = count(place.block) - start;
        const int n = int(left < kTile ? left : kTile);
        const auto of_point = [&](int i, int q) {
            double sum = 0;
            for (int lane = 0; lane < int(kWarp); ++lane) sum += partial[q * kThreads + i * int(kWarp) + lane];
            return sum;
        };
        if (place.thread < n * kKept) {
            const int i = place.thread / kKept, q = place.thread % kKept;
            kept[(from + i) * kKept + q] = of_point(i, q);
        } else if (place.thread >= kThreads - kSecond) {
            const int q = kThreads - 1 - place.thread;
            for (int i = 0; i < n; ++i) shared.second[q] += weight(from + i, shared) * of_point(i, kKept + q);
        }
    }

    __device__ void make_slope(Shared& shared) const {
        shared.slope = {};
        shared.slope.dims = grid.dims;
        shared.slope.total = shared.slope.total_squares = 1;
        if (shared.is_empty != 0) return;
        double second[9] = {};
        for (int a = 0; a < grid.dims; ++a)
            for (int b = 0; b < grid.dims; ++b) second[3 * a + b] = shared.second[upper(grid.slot[a], grid.slot[b])];
        shared.slope = ops::make_slope(rule, shared.kernel, shared.moments, second, shared.by_volume, grid.dims);
    }

    __device__ void write(const Place& place, const Shared& shared) const {
        const std::int64_t from = begin(place.block), n = count(place.block);
        const bool is_weighted = Base::weights != nullptr;
        const double weight_scale = is_weighted ? (shared.largest_weight > 0 ? 1 / shared.largest_weight : 0.0) : 1.0;
        for (std::int64_t i = from + place.thread; i < from + n; i += place.threads) {
            double away[3] = {}, moved[3] = {}, by[3] = {};
            for (int a = 0; a < grid.dims; ++a) {
                away[a] = coordinate(i, a) - shared.mean[a];
                moved[a] = kept[i * kKept + 1 + grid.slot[a]];
            }
            math::by_point(shared.slope, weight(i, shared), moved, away, by);
            const double by_weight = math::by_weight(shared.slope, weight(i, shared), kept[i * kKept], away);
            const bool is_none = shared.is_finite == 0;
            for (int a = 0; a < grid.dims; ++a)
                by_points[i * grid.dims + a] = Real(is_none ? NAN : by[a] * grid.per_length[a]);
            by_weights[i] = Real(is_none ? NAN : weight_scale * by_weight);
        }
    }
};

}  // namespace

template <class Real>
void differentiate_density(const Table<const Real>& points, const std::int64_t* offsets, const Real* weights,
                           const double* axes, const ops::KdeRule& rule, const Table<const Real>& gradient,
                           const Queue& queue, Span<double> scratch, Real* by_points, Real* by_weights) {
    if (points.cols < 1 || points.cols > 3) throw ArrayError("kde_gradient: points must have 1 to 3 columns");
    const ops::KdeGrid grid = ops::make_grid(Table<const double>{axes, points.cols, 3});
    const std::int64_t cells = grid.size(), square = points.cols * points.cols;
    checked_product("gradient", gradient.rows, cells);
    if (gradient.cols != cells) throw ArrayError("kde_gradient: the gradient must have a column per cell of the grid");
    if (rule.kernel.size != 0 && rule.kernel.size != square && rule.kernel.size != gradient.rows * square)
        throw ArrayError("kde_gradient: needs no covariance, one, or one per cluster");
    const std::int64_t needed = checked_product("points", points.rows, kKept);
    if (scratch.size < needed)
        throw ArrayError("kde_gradient: scratch must hold " + std::to_string(needed) + " numbers");
    // Points that belong to no cluster have no gradient.
    clear(by_points, points.rows * points.cols, queue, "kde_gradient");
    clear(by_weights, points.rows, queue, "kde_gradient");
    const DifferentiateDensity<Real> body{
        {points, offsets, weights, grid, rule, 0}, cells, gradient.data, scratch.data, by_points, by_weights};
    for_each_block(gradient.rows, std::size_t(kHead + kSums * kThreads) * sizeof(double), body, queue, "kde_gradient");
}

#define CM_INSTANTIATE(Real)                                                                                \
    template void differentiate_density<Real>(const Table<const Real>&, const std::int64_t*, const Real*,   \
                                              const double*, const ops::KdeRule&, const Table<const Real>&, \
                                              const Queue&, Span<double>, Real*, Real*);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::cuda
