#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/math/assignment.hpp"
#include "clustermass/math/sph_kernel.hpp"
#include "clustermass/ops/project_gradient.hpp"
#include "grid.hpp"
#include "vectors.hpp"

/// Reading a grid with the shares of a particle and their derivatives: the inner loop of `project_gradient`. See
/// clustermass/ops/project_gradient_body.hpp for what is computed. Included by <op>_loops.cpp only.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

/// Sums over the samples of a particle of G, channel by channel, times the share and its derivatives along both axes.
template <int P>
struct Gathered {
    static constexpr int kLanes = P == 0 ? 4 : P;  ///< P: lanes of the grid, or 0 for any multiple of four
    using Vector = typename VectorOf<double, kLanes>::Type;
    Vector value, by_row, by_col;
};

/// One particle, four channels (or all of 1, 2 or 4) at a time.
template <int P, class Real>
struct Gather {
    static constexpr int kLanes = Gathered<P>::kLanes, kWide = 8, kMaxVectors = 8;
    using Vector = typename Gathered<P>::Vector;
    using Wide = typename VectorOf<Real, kWide>::Type;

    const Particles<Real> particles;
    const ProjectParams params;
    const DepositGrid grid;
    const ParticleGradients<Real> out;
    math::SphShape shape;
    Real q[7];
    double integral;

    CM_HD Gather(const Particles<Real>& from, const ProjectParams& how, const DepositGrid& image,
                 const ParticleGradients<Real>& to)
        : particles(from), params(how), grid(image), out(to), shape(math::sph_shape(how.kernel)) {
        for (int k = 0; k < 7; ++k) q[k] = Real(shape.q[k]);
        integral = math::sph_integral(shape);
    }

    CM_HD std::int64_t lanes() const { return P == 0 ? grid.lanes : P; }

    /// Weights of particle i from channel `first` on, zeros after the last.
    CM_HD Vector weights_of(std::int64_t i, std::int64_t first, int n) const {
        const Real* const w = particles.weights.row(i) + first;
        if constexpr (kLanes == 1) {
            return double(w[0]);
        } else {
            if (n == kLanes) {
                typename VectorOf<Real, kLanes>::Type v;
                __builtin_memcpy(&v, w, sizeof(v));
                return __builtin_convertvector(v, Vector);
            }
            Vector v{};
            for (int c = 0; c < n; ++c) v[c] = double(w[c]);
            return v;
        }
    }

    CM_HD void write_weights(std::int64_t i, std::int64_t first, int n, const Vector& value) const {
        Real* const to = out.weights.row(i) + first;
        if constexpr (kLanes == 1) {
            to[0] = Real(value);
        } else if (n == kLanes) {
            const auto v = __builtin_convertvector(value, typename VectorOf<Real, kLanes>::Type);
            __builtin_memcpy(to, &v, sizeof(v));
        } else {
            for (int c = 0; c < n; ++c) to[c] = Real(value[c]);
        }
    }

    static CM_HD double sum_lanes(const Vector& v) {
        if constexpr (kLanes == 1)
            return v;
        else if constexpr (kLanes == 2)
            return v[0] + v[1];
        else
            return (v[0] + v[2]) + (v[1] + v[3]);
    }

    /// Write channels [first, first + kLanes) of particle i; the derivatives by position add up over the channels.
    CM_HD void write(std::int64_t i, std::int64_t first, const Gathered<P>& g, double per_length,
                     double (&by)[2]) const {
        const std::int64_t left = particles.weights.cols - first;
        const int n = left < kLanes ? int(left) : kLanes;
        if (out.weights.rows) write_weights(i, first, n, g.value);
        if (!out.positions.rows) return;
        const Vector w = weights_of(i, first, n);
        by[0] += sum_lanes(w * g.by_row);
        by[1] += sum_lanes(w * g.by_col);
        if (left > kLanes) return;
        Real* const p = out.positions.row(i);
        p[0] = Real(by[0] * per_length);
        p[1] = Real(by[1] * per_length);
        for (std::int64_t axis = 2; axis < out.positions.cols; ++axis) p[axis] = Real(0);
    }

    template <int N>
    CM_HD void assign(std::int64_t i, const math::AxisShare<N>& r, const math::AxisShare<N>& c,
                      const math::AxisSlope<N>& dr, const math::AxisSlope<N>& dc) const {
        const bool touches =
            (r.first > -N) & (r.first < double(grid.rows)) & (c.first > -N) & (c.first < double(grid.cols));
        double by[2] = {0, 0};
        for (std::int64_t first = 0; first < particles.weights.cols; first += kLanes) {
            Gathered<P> sum{};
            if (touches) {
                const double* pixel = grid.pixel(std::int64_t(r.first), std::int64_t(c.first)) + first;
                for (int j = 0; j < N; ++j, pixel += grid.stride()) {
                    Vector value{}, slope{};
                    for (int k = 0; k < N; ++k) {
                        const Vector g = load<Vector>(pixel + k * lanes());
                        value += c.share[k] * g;
                        slope += dc.slope[k] * g;
                    }
                    sum.value += r.share[j] * value;
                    sum.by_row += dr.slope[j] * value;
                    sum.by_col += r.share[j] * slope;
                }
            }
            write(i, first, sum, params.per_pixel, by);
        }
    }

    struct Reach {
        double first, last;
    };
    static CM_HD Reach reach(double x, double support) {
        return {std::ceil(x - support - 0.5), std::floor(x + support - 0.5)};
    }

    /// Samples of a stretch of one row: kernel, its slope, and the slope times x.
    struct Row {
        alignas(64) double value[kMaxVectors * kWide], slope[kMaxVectors * kWide], slope_x[kMaxVectors * kWide];
    };
    /// Of all samples of a kernel, inside the image or not.
    struct Total {
        Double8 value, by_row, by_col;
    };

    CM_HD void sample(double x, double per_support, double y, int n, Row& row, Total& total) const {
        const Wide lane = {0, 1, 2, 3, 4, 5, 6, 7};
        const Real rest = Real(1 - y * y);
        for (int k = 0; k < n; k += kWide) {
            const Wide dx = Real((x + k) * per_support) + lane * Real(per_support);
            const Wide t = rest - dx * dx;
            const math::SphSlope<Wide> s = math::sph_slope(q, t > 0 ? t : Wide{});
            const Double8 value = __builtin_convertvector(s.value, Double8);
            const Double8 slope = __builtin_convertvector(s.slope, Double8);
            const Double8 slope_x = slope * __builtin_convertvector(dx, Double8);
            store(row.value + k, value);
            store(row.slope + k, slope);
            store(row.slope_x + k, slope_x);
            total.value += value;
            total.by_row += slope * y;
            total.by_col += slope_x;
        }
    }

    /// Add samples [begin, end) of a row, whose pixels lie side by side from `pixels` on.
    CM_HD void add_row(const Row& row, int begin, int end, const double* pixels, double y, Gathered<P>& sum) const {
        Vector value{}, slope{}, slope_x{};
        int k = begin;
        if constexpr (P == 1) {
            Double8 v{}, s{}, x{};
            for (; k + kWide <= end; k += kWide) {
                const Double8 g = load<Double8>(pixels + k);
                v += g * load<Double8>(row.value + k);
                s += g * load<Double8>(row.slope + k);
                x += g * load<Double8>(row.slope_x + k);
            }
            for (int l = 0; l < kWide; ++l) {
                value += v[l];
                slope += s[l];
                slope_x += x[l];
            }
        }
        for (; k < end; ++k) {
            const Vector g = load<Vector>(pixels + k * lanes());
            value += g * row.value[k];
            slope += g * row.slope[k];
            slope_x += g * row.slope_x[k];
        }
        sum.value += value;
        sum.by_row += slope * y;
        sum.by_col += slope_x;
    }

    /// A kernel sampled once per pixel.
    CM_HD void whole(double u, double v, double support, std::int64_t channel, bool sum_is_known, Total& total,
                     Gathered<P>& sum) const {
        const Reach r = reach(u, support), c = reach(v, support);
        const double step = 1 / support, low = sum_is_known && c.first < 0 ? 0.0 : c.first;
        const double high = sum_is_known && c.last > double(grid.cols - 1) ? double(grid.cols - 1) : c.last;
        Row row;
        for (double j = r.first; j <= r.last; ++j) {
            const bool inside = j >= 0 && j < double(grid.rows);
            if (sum_is_known && !inside) continue;
            const double y = (j + 0.5 - u) * step;
            for (double k = low; k <= high; k += kMaxVectors * kWide) {
                const double left = high - k + 1;
                const int n = left < kMaxVectors * kWide ? int(left) : kMaxVectors * kWide;
                sample(k + 0.5 - v, step, y, n, row, total);
                if (!inside) continue;
                const int begin = k < 0 ? (k + n > 0 ? int(-k) : n) : 0;
                const int end = k + n > double(grid.cols) ? int(double(grid.cols) - k) : n;
                if (begin < end)
                    add_row(row, begin, end, grid.pixel(std::int64_t(j), std::int64_t(k)) + channel, y, sum);
            }
        }
    }

    /// A kernel sampled at the centres of parts of pixels: at most eight samples along each axis.
    CM_HD void split(double u, double v, const math::SphSampling& s, std::int64_t channel, Total& total,
                     Gathered<P>& sum) const {
        const double parts = double(s.split), step = 1 / s.support;
        const Reach r = reach(u, s.support), c = reach(v, s.support);
        const int n = int(c.last - c.first) + 1;
        std::int64_t col[kWide];
        for (int k = 0; k < n; ++k) col[k] = std::int64_t(std::floor((c.first + k) / parts));
        Row row;
        for (double j = r.first; j <= r.last; ++j) {
            const double y = (j + 0.5 - u) * step;
            sample(c.first + 0.5 - v, step, y, n, row, total);
            const auto pixel_row = std::int64_t(std::floor(j / parts));
            if (pixel_row < 0 || pixel_row >= grid.rows) continue;
            for (int k = 0; k < n; ++k) {
                if (col[k] < 0 || col[k] >= grid.cols) continue;
                const Vector g = load<Vector>(grid.pixel(pixel_row, col[k]) + channel);
                sum.value += g * row.value[k];
                sum.by_row += g * (row.slope[k] * y);
                sum.by_col += g * row.slope_x[k];
            }
        }
    }

    static CM_HD double sum_of(const Double8& v) {
        return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7]));
    }

    void smooth(std::int64_t i, double row, double col, double support) const {
        const math::SphSampling s = math::sph_sampling(shape, support);
        if (s.split == 0)
            return assign(i, math::ngp_share(row), math::ngp_share(col), math::ngp_slope(row), math::ngp_slope(col));
        const double parts = double(s.split), u = row * parts, v = col * parts;
        const Reach r = reach(u, s.support), c = reach(v, s.support);
        const bool touches =
            r.last >= 0 && r.first < double(grid.rows) * parts && c.last >= 0 && c.first < double(grid.cols) * parts;
        const bool sum_is_known = s.support > math::kMaxSummedSupport<Real>;
        double by[2] = {0, 0};
        for (std::int64_t first = 0; first < particles.weights.cols; first += kLanes) {
            Gathered<P> sum{};
            if (touches) {
                Total all{};
                if (s.split == 1)
                    whole(u, v, s.support, first, sum_is_known, all, sum);
                else
                    split(u, v, s, first, all, sum);
                const double total = sum_is_known ? integral * s.support * s.support : sum_of(all.value);
                const double norm = 1 / total, all_row = sum_is_known ? 0.0 : sum_of(all.by_row) * norm;
                const double all_col = sum_is_known ? 0.0 : sum_of(all.by_col) * norm;
                sum.value *= norm;
                sum.by_row = sum.by_row * norm - sum.value * all_row;
                sum.by_col = sum.by_col * norm - sum.value * all_col;
            }
            write(i, first, sum, 2 * parts * params.per_pixel / s.support, by);
        }
    }

    template <Assignment kAssignment>
    CM_HD void one(std::int64_t i) const {
        const Real* const p = particles.positions.row(i);
        const double row = (double(p[0]) - params.origin_row) * params.per_pixel;
        const double col = (double(p[1]) - params.origin_col) * params.per_pixel;
        if constexpr (kAssignment == Assignment::ngp)
            assign(i, math::ngp_share(row), math::ngp_share(col), math::ngp_slope(row), math::ngp_slope(col));
        else if constexpr (kAssignment == Assignment::cic)
            assign(i, math::cic_share(row), math::cic_share(col), math::cic_slope(row), math::cic_slope(col));
        else if constexpr (kAssignment == Assignment::tsc)
            assign(i, math::tsc_share(row), math::tsc_share(col), math::tsc_slope(row), math::tsc_slope(col));
        else
            smooth(i, row, col, double(particles.smoothing_length[i]) * params.per_pixel);
    }

    template <Assignment kAssignment>
    CM_HD void all(std::int64_t first, std::int64_t n) const {
        for (std::int64_t i = first; i < first + n; ++i) one<kAssignment>(i);
    }

    CM_HD void operator()(std::int64_t first, std::int64_t n) const {
        switch (params.assignment) {
            case Assignment::ngp: return all<Assignment::ngp>(first, n);
            case Assignment::cic: return all<Assignment::cic>(first, n);
            case Assignment::tsc: return all<Assignment::tsc>(first, n);
            case Assignment::sph: return all<Assignment::sph>(first, n);
        }
    }
};

}  // namespace
}  // namespace CM_ISA
}  // namespace clustermass::ops
