#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/macros.hpp"
#include "clustermass/core/span.hpp"
#include "clustermass/math/assignment.hpp"
#include "clustermass/math/sph_kernel.hpp"
#include "clustermass/ops/project.hpp"

namespace clustermass::ops {

/// Deposit of one particle, in the plainest form: any support, any number of channels, no memory of its own. It is
/// what CUDA runs, and what the blocked CPU loops (cpp/src/deposit*.hpp) are tested against. The loop over particles,
/// and how `add` meets other writers, belong to the device.
template <class Real, class Add>
class ProjectBody {
public:
    /// `add(channel, row, col, value)` adds a float64 value to a pixel inside the image.
    ProjectBody(const Particles<Real>& particles, const ProjectParams& params, std::int64_t rows, std::int64_t cols,
                const Add& add)
        : particles_(particles), params_(params), rows_(rows), cols_(cols), add_(add) {
        const math::SphShape shape = math::sph_shape(params.kernel);
        shape_ = shape;
        for (int k = 0; k < 7; ++k) q_[k] = Real(shape.q[k]);
        integral_ = math::sph_integral(shape);
        max_summed_ = math::kMaxSummedSupport<Real>;
    }

    CM_HD void operator()(std::int64_t i) const { (*this)(i, add_); }

    /// The same into another accumulator.
    template <class Other>
    CM_HD void operator()(std::int64_t i, const Other& add) const {
        const Real* const p = particles_.positions.row(i);
        at(i, (double(p[0]) - params_.origin_row) * params_.per_pixel,
           (double(p[1]) - params_.origin_col) * params_.per_pixel, params_.per_pixel, add);
    }

    /// Deposit the weights of particle i at a place of the image [pixel].
    template <class Other>
    CM_HD void at(std::int64_t i, double row, double col, double per_pixel, const Other& add) const {
        switch (params_.assignment) {
            case Assignment::ngp: assign(i, math::ngp_share(row), math::ngp_share(col), add); break;
            case Assignment::cic: assign(i, math::cic_share(row), math::cic_share(col), add); break;
            case Assignment::tsc: assign(i, math::tsc_share(row), math::tsc_share(col), add); break;
            case Assignment::sph: smooth(i, row, col, double(particles_.smoothing_length[i]) * per_pixel, add);
        }
    }

private:
    /// First and last sample centre within `support` of x, still floating point; empty when first > last.
    struct Samples {
        double first, last;
    };
    static CM_HD Samples samples(double x, double support) {
        return {std::ceil(x - support - 0.5), std::floor(x + support - 0.5)};
    }

    /// Whether n pixels from `first` on touch an axis of `length` pixels; no for NaN.
    static CM_HD bool overlaps(double first, int n, std::int64_t length) {
        return first > -n && double(length) > first;
    }

    template <class Other>
    CM_HD void deposit(std::int64_t i, std::int64_t row, std::int64_t col, double share, const Other& add) const {
        const Real* const weights = particles_.weights.row(i);
        for (std::int64_t channel = 0; channel < particles_.weights.cols; ++channel)
            add(channel, row, col, double(weights[channel]) * share);
    }

    template <int N, class Other>
    CM_HD void assign(std::int64_t i, const math::AxisShare<N>& in_rows, const math::AxisShare<N>& in_cols,
                      const Other& add) const {
        if (!overlaps(in_rows.first, N, rows_) || !overlaps(in_cols.first, N, cols_)) return;
        const auto first_row = std::int64_t(in_rows.first), first_col = std::int64_t(in_cols.first);
        for (int j = 0; j < N; ++j)
            for (int k = 0; k < N; ++k) {
                const std::int64_t row = first_row + j, col = first_col + k;
                if (row >= 0 && row < rows_ && col >= 0 && col < cols_)
                    deposit(i, row, col, in_rows.share[j] * in_cols.share[k], add);
            }
    }

    /// Kernel at the offsets y, x in units of its support.
    CM_HD double sample(double y, double x) const {
        const double t = 1 - y * y - x * x;
        return t > 0 ? double(math::sph_value(q_, Real(t))) : 0.0;
    }

    /// Sum of all samples, whether inside the image or not.
    CM_HD double total(const Samples& r, const Samples& c, double u, double v, double per_support) const {
        double sum = 0;
        for (double j = r.first; j <= r.last; ++j)
            for (double k = c.first; k <= c.last; ++k)
                sum += sample((j + 0.5 - u) * per_support, (k + 0.5 - v) * per_support);
        return sum;
    }

    /// Samples at the centres of `split` x `split` parts of each pixel, normalised by their sum: see sph_kernel.hpp.
    template <class Other>
    CM_HD void smooth(std::int64_t i, double row, double col, double support, const Other& add) const {
        const math::SphSampling s = math::sph_sampling(shape_, support);
        if (s.split == 0) {
            assign(i, math::ngp_share(row), math::ngp_share(col), add);
            return;
        }
        const double parts = double(s.split), u = row * parts, v = col * parts, per_support = 1 / s.support;
        const double end_row = double(rows_) * parts, end_col = double(cols_) * parts;
        const Samples r = samples(u, s.support), c = samples(v, s.support);
        if (!(r.last >= 0 && r.first < end_row && c.last >= 0 && c.first < end_col)) return;
        const bool sum_is_known = s.support > max_summed_;
        const double norm = 1 / (sum_is_known ? integral_ * s.support * s.support : total(r, c, u, v, per_support));
        const auto j_first = std::int64_t(std::fmax(r.first, 0.0)), k_first = std::int64_t(std::fmax(c.first, 0.0));
        const auto j_last = std::int64_t(std::fmin(r.last, end_row - 1));
        const auto k_last = std::int64_t(std::fmin(c.last, end_col - 1));
        for (std::int64_t j = j_first; j <= j_last; ++j)
            for (std::int64_t k = k_first; k <= k_last; ++k) {
                const double value = sample((double(j) + 0.5 - u) * per_support, (double(k) + 0.5 - v) * per_support);
                if (value > 0) deposit(i, j / s.split, k / s.split, value * norm, add);
            }
    }

    Particles<Real> particles_;
    ProjectParams params_;
    std::int64_t rows_, cols_;
    Add add_;
    math::SphShape shape_;
    Real q_[7];
    double integral_;    ///< of the unit kernel over the plane
    double max_summed_;  ///< the samples of a wider kernel sum to its integral within 3e-9 (float32), 1e-12 (float64)
};

}  // namespace clustermass::ops
