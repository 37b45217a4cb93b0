#include "clustermass/ops/kde_gradient.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#include "clustermass/core/error.hpp"
#include "clustermass/ops/kde_gradient_body.hpp"
#include "kde_job.hpp"

namespace clustermass::ops {

// clang-format off
namespace baseline { extern const KdeGradientLoops kde_gradient_loops; }
#if defined(CM_MULTI_ISA)
namespace avx2 { extern const KdeGradientLoops kde_gradient_loops; }
namespace avx512 { extern const KdeGradientLoops kde_gradient_loops; }
#endif
// clang-format on

namespace {

/// Exponents [powers of 2] that may be taken apart, and that keep ten digits: beyond, cells are done one by one.
constexpr double kMostApart = 290, kLargestExponent = 1e5;

/// Memory of one thread, for clusters of any number of points.
struct Workspace {
    Scratch for_sums, for_gather;
    std::vector<double> grid, gradient, points, weights, value, first[3];

    explicit Workspace(const KdeGrid& g)
        : for_sums(make_scratch(loops<double>().scratch_bytes(g))),
          for_gather(make_scratch(CM_CHOOSE(kde_gradient_loops).scratch_bytes(g))),
          grid(std::size_t(g.size())),
          gradient(std::size_t(g.size())) {}

    template <class Real>
    KdePoints<double> load(const KdePoints<Real>& from, int dims) {
        points.assign(from.points, from.points + from.n * dims);
        if (from.weights)
            weights.assign(from.weights, from.weights + from.n);
        else
            weights.assign(std::size_t(from.n), 1.0);
        value.assign(std::size_t(from.n), 0.0);
        for (auto& numbers : first) numbers.assign(std::size_t(from.n), 0.0);
        return {points.data(), weights.data(), from.n, from.weight_scale};
    }
    KdeGathered gathered() { return {value.data(), {first[0].data(), first[1].data(), first[2].data()}}; }
};

/// Position of a point along an axis, in cells from the middle of the grid.
double position(const KdePoints<double>& points, const KdeGrid& grid, std::int64_t i, int axis) {
    return (points.points[i * grid.dims + axis] - grid.centre[axis]) * grid.per_length[axis];
}

bool can_gather(const KdeGrid& grid, const double* p) {
    double half[3];
    for (int s = 0; s < 3; ++s) half[s] = 0.5 * double(grid.n[s] - 1);
    const double apart =
        std::abs(p[1]) * half[0] * half[1] + std::abs(p[2]) * half[0] * half[2] + std::abs(p[4]) * half[1] * half[2];
    const double largest = p[0] * half[0] * half[0] + p[3] * half[1] * half[1] + p[5] * half[2] * half[2];
    return apart <= kMostApart && largest <= kLargestExponent;
}

/// body(cell, exponent, X in slots) for every cell of the grid and point i.
template <class Body>
void each_cell(const KdePoints<double>& points, const KdeGrid& grid, const double* p, std::int64_t i, Body body) {
    double x[3] = {0, 0, 0};
    for (int axis = 0; axis < grid.dims; ++axis) x[grid.slot[axis]] = position(points, grid, i, axis);
    std::int64_t cell = 0;
    for (std::int64_t a = 0; a < grid.n[0]; ++a)
        for (std::int64_t b = 0; b < grid.n[1]; ++b)
            for (std::int64_t c = 0; c < grid.n[2]; ++c, ++cell) {
                const double at[3] = {double(a) - 0.5 * double(grid.n[0] - 1), double(b) - 0.5 * double(grid.n[1] - 1),
                                      double(c) - 0.5 * double(grid.n[2] - 1)};
                body(cell, math::half_form(p, at[0] - x[0], at[1] - x[1], at[2] - x[2]), at);
            }
}

/// The plain form, for kernels too narrow, too slanted or too far away to be taken apart: the smallest exponent of all.
double least_exponent(const KdePoints<double>& points, const KdeGrid& grid, const double* p) {
    double least = std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < points.n; ++i)
        if (points.weights[i] > 0)
            each_cell(points, grid, p, i, [&](std::int64_t, double q, const double*) { least = std::min(least, q); });
    return least;
}

KdeSummary evaluate_plainly(const KdePoints<double>& points, const KdeGrid& grid, const double* p, double shift,
                            std::vector<double>& out) {
    std::fill(out.begin(), out.end(), 0.0);
    for (std::int64_t i = 0; i < points.n; ++i)
        each_cell(points, grid, p, i, [&](std::int64_t cell, double q, const double*) {
            out[std::size_t(cell)] += points.weights[i] * points.weight_scale * std::exp2(shift - q);
        });
    KdeSummary summary{0, 0};
    for (const double value : out) {
        summary.peak = std::max(summary.peak, value);
        summary.sum += value;
    }
    return summary;
}

void gather_plainly(const KdePoints<double>& points, const KdeGrid& grid, const double* p, double shift,
                    const std::vector<double>& gradient, const KdeGathered& out) {
    for (std::int64_t i = 0; i < points.n; ++i)
        each_cell(points, grid, p, i, [&](std::int64_t cell, double q, const double* at) {
            const double term = gradient[std::size_t(cell)] * std::exp2(shift - q);
            out.value[i] += term;
            for (int s = 0; s < 3; ++s) out.first[s][i] += term * at[s];
        });
}

/// Put g, the derivative by the raw grid f, in place of G. `along`: the sum of G f. Returns what the scalar loses as
/// the log of the volume grows that the density is normalised by.
double normalise(KdeNormalise how, const Kernel& kernel, const KdeSummary& raw, double largest_weight, double along,
                 std::vector<double>& g) {
    if (how == KdeNormalise::sum) {
        const double mean = along / raw.sum;
        for (double& value : g) value = (value - mean) / raw.sum;
        return 0.0;
    }
    const double factor = how == KdeNormalise::density ? kernel.per_volume : largest_weight;
    for (double& value : g) value *= factor;
    return how == KdeNormalise::density ? along * factor : 0.0;
}

/// Sum over points and cells of w g e d d^T, d = (X - mean) - (x - mean), of axes: of cells, less what the first
/// moments of the points have of it.
void second_moments(const KdePoints<double>& points, const KdeGrid& grid, const double* mean, const Workspace& space,
                    double* out) {
    constexpr int kUpper[3][3] = {{4, 5, 6}, {5, 7, 8}, {6, 8, 9}};
    const int dims = grid.dims;
    double sums[10];
    CM_CHOOSE(kde_gradient_loops).cell_moments(space.gradient.data(), space.grid.data(), grid, sums);
    std::fill_n(out, 9, 0.0);
    for (int i = 0; i < dims; ++i)
        for (int j = 0; j <= i; ++j) {
            const int a = grid.slot[i], b = grid.slot[j];
            out[3 * i + j] =
                sums[kUpper[a][b]] - sums[1 + a] * mean[j] - sums[1 + b] * mean[i] + sums[0] * mean[i] * mean[j];
        }
    for (std::int64_t n = 0; n < points.n; ++n) {
        const auto k = std::size_t(n);
        const double w = points.weights[n] * points.weight_scale;
        double x[3] = {0, 0, 0}, m[3] = {0, 0, 0};
        for (int i = 0; i < dims; ++i) {
            const double place = position(points, grid, n, i);
            x[i] = place - mean[i];
            m[i] = space.first[grid.slot[i]][k] - place * space.value[k];
        }
        for (int i = 0; i < dims; ++i)
            for (int j = 0; j <= i; ++j)
                out[3 * i + j] -= w * (m[i] * x[j] + x[i] * m[j] + space.value[k] * x[i] * x[j]);
    }
    for (int i = 0; i < dims; ++i)
        for (int j = 0; j < i; ++j) out[3 * j + i] = out[3 * i + j];
}

template <class Real>
struct Results {
    Table<Real> points;
    Span<Real> weights;
};

template <class Real>
void write(const math::DensitySlope& slope, const KdePoints<double>& points, const KdeGrid& grid, const double* mean,
           const Workspace& space, std::int64_t first, const Results<Real>& out) {
    for (std::int64_t n = 0; n < points.n; ++n) {
        const auto k = std::size_t(n);
        const double w = points.weights[n] * points.weight_scale;
        double away[3] = {0, 0, 0}, m[3] = {0, 0, 0}, by[3];
        for (int i = 0; i < grid.dims; ++i) {
            const double place = position(points, grid, n, i);
            away[i] = place - mean[i];
            m[i] = space.first[grid.slot[i]][k] - place * space.value[k];
        }
        math::by_point(slope, w, m, away, by);
        for (int i = 0; i < grid.dims && out.points.rows; ++i)
            out.points(first + n, i) = Real(by[i] * grid.per_length[i]);
        if (out.weights.size)
            out.weights[first + n] = Real(points.weight_scale * math::by_weight(slope, w, space.value[k], away));
    }
}

/// False when the points are not finite.
template <class Real>
bool differentiate(const Job<Real>& job, Table<const Real> gradient, std::int64_t cluster, Workspace& space,
                   const Results<Real>& out) {
    const std::int64_t first = job.offsets[cluster], n = job.offsets[cluster + 1] - first;
    const int dims = job.grid.dims;
    KdePoints<Real> given{job.points.row(first), job.weights.size ? job.weights.data + first : nullptr, n, 1.0};
    double largest_weight = 1;
    if (given.weights) {
        largest_weight = n > 0 ? double(*std::max_element(given.weights, given.weights + n)) : 0.0;
        given.weight_scale = largest_weight > 0 ? 1 / largest_weight : 0.0;
    }
    const KdePoints<double> points = space.load(given, dims);
    const KdeMoments moments = loops<double>().moments(points, job.grid);
    if (!moments.is_finite) return false;
    math::DensitySlope slope{};
    slope.dims = dims;
    slope.total = slope.total_squares = 1;
    double mean[3] = {0, 0, 0};
    if (moments.total > 0) {
        const Kernel kernel = make_kernel(job.grid, job.rule, cluster, moments);
        const double* const p = kernel.precision;
        const bool fast = can_gather(job.grid, p);
        KdeSummary raw = loops<double>().evaluate(points, job.grid, p, fast ? kLimit<double> : 0.0,
                                                  space.for_sums.get(), space.grid.data());
        const bool is_faint = raw.peak < kFaintest<double> * moments.total;
        double shift = 0;
        if (is_faint && job.rule.normalise == KdeNormalise::sum) {  // any common factor of the grid is divided out
            shift = least_exponent(points, job.grid, p);
            raw = evaluate_plainly(points, job.grid, p, shift, space.grid);
        }
        if (raw.sum > 0) {
            std::copy_n(gradient.row(cluster), job.grid.size(), space.gradient.begin());
            double sums[10];
            CM_CHOOSE(kde_gradient_loops).cell_moments(space.gradient.data(), space.grid.data(), job.grid, sums);
            const double by_volume =
                normalise(job.rule.normalise, kernel, raw, largest_weight, sums[0], space.gradient);
            if (fast && !is_faint)
                CM_CHOOSE(kde_gradient_loops)
                    .gather(points, job.grid, p, space.gradient.data(), space.for_gather.get(), space.gathered());
            else
                gather_plainly(points, job.grid, p, shift, space.gradient, space.gathered());
            for (int axis = 0; axis < dims; ++axis) {
                for (std::int64_t i = 0; i < n; ++i)
                    mean[axis] += points.weights[i] * points.weight_scale * position(points, job.grid, i, axis);
                mean[axis] /= moments.total;
            }
            double second[9];
            second_moments(points, job.grid, mean, space, second);
            slope = make_slope(job.rule, kernel, moments, second, by_volume, dims);
        }
    }
    write(slope, points, job.grid, mean, space, first, out);
    return true;
}

}  // namespace

template <class Real>
bool differentiate_density(Table<const Real> points, Span<const std::int64_t> offsets, Span<const Real> weights,
                           Table<const double> axes, const KdeRule& rule, Table<const Real> gradient,
                           const Parallel& run, Table<Real> by_points, Span<Real> by_weights) {
    if (axes.rows < 1 || axes.rows > 3 || axes.cols != 3 || points.cols != axes.rows)
        throw ArrayError("`axes` must have a row (first, step, n) for each of the 1 to 3 columns of `points`");
    const Job<Real> job{points, offsets, weights, make_grid(axes), rule, {nullptr, gradient.rows, gradient.cols}};
    check(job);
    if ((by_points.rows && (by_points.rows != points.rows || by_points.cols != points.cols)) ||
        (by_weights.size && by_weights.size != points.rows))
        throw ArrayError("`by_points` and `by_weights` must have the shapes of points and weights, or be empty");
    const std::int64_t n_chunks = std::min(kMaxChunks, job.size());
    std::atomic<bool> finite{true};
    parallel_chunks(n_chunks, run, [&](std::int64_t chunk) {
        const std::int64_t first = chunk_start(offsets, chunk, n_chunks),
                           last = chunk_start(offsets, chunk + 1, n_chunks);
        if (first == last || !finite) return;
        Workspace space(job.grid);
        for (std::int64_t cluster = first; cluster < last; ++cluster)
            if (!differentiate(job, gradient, cluster, space, {by_points, by_weights})) finite = false;
    });
    return finite;
}

#define CM_INSTANTIATE(Real)                                                                                           \
    template bool differentiate_density<Real>(Table<const Real>, Span<const std::int64_t>, Span<const Real>,           \
                                              Table<const double>, const KdeRule&, Table<const Real>, const Parallel&, \
                                              Table<Real>, Span<Real>);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::ops
