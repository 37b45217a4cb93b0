#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/macros.hpp"
#include "clustermass/core/span.hpp"
#include "clustermass/math/assignment.hpp"
#include "clustermass/math/sph_kernel.hpp"
#include "clustermass/ops/project_gradient.hpp"

namespace clustermass::ops {

/// Gradient of one particle, in the plainest form: any support, any number of channels, no memory of its own. It is
/// what CUDA runs, and what the CPU loops (cpp/src/project_gradient_loops.cpp) are tested against.
///
/// With samples K_j, their sum T and g_j = sum_c w_c G_c at the pixel of sample j, the scalar is sum_j g_j K_j / T =
/// A / T, and its derivative by the position u is (A' - (A / T) T') / T: the sum T moves with the particle too.
template <class Real>
class ProjectGradientBody {
public:
    ProjectGradientBody(const Particles<Real>& particles, const ProjectParams& params,
                        const Stack<const Real>& gradient, const ParticleGradients<Real>& out)
        : particles_(particles), params_(params), gradient_(gradient), out_(out) {
        shape_ = math::sph_shape(params.kernel);
        for (int k = 0; k < 7; ++k) q_[k] = Real(shape_.q[k]);
        integral_ = math::sph_integral(shape_);
        max_summed_ = math::kMaxSummedSupport<Real>;
    }

    CM_HD void operator()(std::int64_t i) const {
        const Real* const p = particles_.positions.row(i);
        const double row = (double(p[0]) - params_.origin_row) * params_.per_pixel;
        const double col = (double(p[1]) - params_.origin_col) * params_.per_pixel;
        switch (params_.assignment) {
            case Assignment::ngp:
                assign(i, math::ngp_share(row), math::ngp_share(col), math::ngp_slope(row), math::ngp_slope(col));
                break;
            case Assignment::cic:
                assign(i, math::cic_share(row), math::cic_share(col), math::cic_slope(row), math::cic_slope(col));
                break;
            case Assignment::tsc:
                assign(i, math::tsc_share(row), math::tsc_share(col), math::tsc_slope(row), math::tsc_slope(col));
                break;
            case Assignment::sph: smooth(i, row, col, double(particles_.smoothing_length[i]) * params_.per_pixel);
        }
    }

private:
    /// Of sum(G_c * shares): itself, and its derivatives along both axes.
    struct Sums {
        double value, by_row, by_col;
    };
    struct Samples {
        double first, last;
    };
    static CM_HD Samples samples(double x, double support) {
        return {std::ceil(x - support - 0.5), std::floor(x + support - 0.5)};
    }
    static CM_HD bool overlaps(double first, int n, std::int64_t length) {
        return first > -n && double(length) > first;
    }
    CM_HD bool is_inside(std::int64_t row, std::int64_t col) const {
        return row >= 0 && row < gradient_.rows && col >= 0 && col < gradient_.cols;
    }
    CM_HD double at(std::int64_t channel, std::int64_t row, std::int64_t col) const {
        return double(gradient_.item(channel)[row * gradient_.cols + col]);
    }

    /// Write the results of a particle, given the sums of each channel in pixels.
    template <class SumsOf>
    CM_HD void write(std::int64_t i, double per_length, const SumsOf& sums_of) const {
        const Real* const weights = particles_.weights.row(i);
        double by_row = 0, by_col = 0;
        for (std::int64_t c = 0; c < particles_.weights.cols; ++c) {
            const Sums s = sums_of(c);
            if (out_.weights.rows) out_.weights(i, c) = Real(s.value);
            by_row += double(weights[c]) * s.by_row;
            by_col += double(weights[c]) * s.by_col;
        }
        if (!out_.positions.rows) return;
        Real* const p = out_.positions.row(i);
        p[0] = Real(by_row * per_length);
        p[1] = Real(by_col * per_length);
        for (std::int64_t axis = 2; axis < out_.positions.cols; ++axis) p[axis] = Real(0);
    }

    template <int N>
    CM_HD void assign(std::int64_t i, const math::AxisShare<N>& r, const math::AxisShare<N>& c,
                      const math::AxisSlope<N>& dr, const math::AxisSlope<N>& dc) const {
        const bool touches = overlaps(r.first, N, gradient_.rows) && overlaps(c.first, N, gradient_.cols);
        const std::int64_t first_row = touches ? std::int64_t(r.first) : 0;
        const std::int64_t first_col = touches ? std::int64_t(c.first) : 0;
        write(i, params_.per_pixel, [&](std::int64_t channel) {
            Sums s{0, 0, 0};
            for (int j = 0; touches && j < N; ++j)
                for (int k = 0; k < N; ++k) {
                    if (!is_inside(first_row + j, first_col + k)) continue;
                    const double g = at(channel, first_row + j, first_col + k);
                    s.value += g * (r.share[j] * c.share[k]);
                    s.by_row += g * (dr.slope[j] * c.share[k]);
                    s.by_col += g * (r.share[j] * dc.slope[k]);
                }
            return s;
        });
    }

    /// Kernel at the offsets y, x in units of its support, and its derivative by t.
    CM_HD math::SphSlope<double> sample(double y, double x) const {
        const double t = 1 - y * y - x * x;
        if (!(t > 0)) return {0.0, 0.0};
        const math::SphSlope<Real> s = math::sph_slope(q_, Real(t));
        return {double(s.value), double(s.slope)};
    }

    /// Of all samples, whether inside the image or not; the derivatives lack the factor 2 / support, as all below.
    CM_HD Sums total(const Samples& r, const Samples& c, double u, double v, double per_support) const {
        Sums sum{0, 0, 0};
        for (double j = r.first; j <= r.last; ++j)
            for (double k = c.first; k <= c.last; ++k) {
                const double y = (j + 0.5 - u) * per_support, x = (k + 0.5 - v) * per_support;
                const math::SphSlope<double> s = sample(y, x);
                sum.value += s.value;
                sum.by_row += s.slope * y;
                sum.by_col += s.slope * x;
            }
        return sum;
    }

    CM_HD void smooth(std::int64_t i, double row, double col, double support) const {
        const math::SphSampling s = math::sph_sampling(shape_, support);
        if (s.split == 0) {
            assign(i, math::ngp_share(row), math::ngp_share(col), math::ngp_slope(row), math::ngp_slope(col));
            return;
        }
        const double parts = double(s.split), u = row * parts, v = col * parts, per_support = 1 / s.support;
        const double end_row = double(gradient_.rows) * parts, end_col = double(gradient_.cols) * parts;
        const Samples r = samples(u, s.support), c = samples(v, s.support);
        if (!(r.last >= 0 && r.first < end_row && c.last >= 0 && c.first < end_col)) {
            write(i, 0.0, [](std::int64_t) { return Sums{0, 0, 0}; });
            return;
        }
        const bool sum_is_known = s.support > max_summed_;
        const Sums all = sum_is_known ? Sums{integral_ * s.support * s.support, 0, 0} : total(r, c, u, v, per_support);
        const auto j_first = std::int64_t(std::fmax(r.first, 0.0)), k_first = std::int64_t(std::fmax(c.first, 0.0));
        const auto j_last = std::int64_t(std::fmin(r.last, end_row - 1));
        const auto k_last = std::int64_t(std::fmin(c.last, end_col - 1));
        write(i, 2 * per_support * parts * params_.per_pixel, [&](std::int64_t channel) {
            Sums sum{0, 0, 0};
            for (std::int64_t j = j_first; j <= j_last; ++j)
                for (std::int64_t k = k_first; k <= k_last; ++k) {
                    const double y = (double(j) + 0.5 - u) * per_support, x = (double(k) + 0.5 - v) * per_support;
                    const math::SphSlope<double> at_sample = sample(y, x);
                    if (!(at_sample.value > 0)) continue;
                    const double g = at(channel, j / s.split, k / s.split);
                    sum.value += g * at_sample.value;
                    sum.by_row += g * at_sample.slope * y;
                    sum.by_col += g * at_sample.slope * x;
                }
            const double value = sum.value / all.value;
            return Sums{value, (sum.by_row - value * all.by_row) / all.value,
                        (sum.by_col - value * all.by_col) / all.value};
        });
    }

    Particles<Real> particles_;
    ProjectParams params_;
    Stack<const Real> gradient_;
    ParticleGradients<Real> out_;
    math::SphShape shape_;
    Real q_[7];
    double integral_;    ///< of the unit kernel over the plane
    double max_summed_;  ///< the samples of a wider kernel sum to its integral: see sph_kernel.hpp
};

}  // namespace clustermass::ops
