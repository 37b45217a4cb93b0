#pragma once
#include "deposit.hpp"

/// SPH deposit of a block: see math/sph_kernel.hpp for what is sampled where.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

constexpr double kMaxKeptSupport = 32;  ///< the samples of a wider kernel are not kept between summing and depositing
/// The samples of a kernel wider than this sum to its integral within 3e-9 (32) and 1e-12 (256): no need to sum them.
template <class Real>
constexpr double kMaxSummedSupport = sizeof(Real) == 4 ? 32 : 256;
constexpr int kMaxSide = 66, kMaxVectors = 9;

/// First and last pixel centre within `support` of x, still floating point; empty when first > last.
struct Reach {
    double first, last;
};
CM_HD Reach reach(double x, double support) { return {std::ceil(x - support - 0.5), std::floor(x + support - 0.5)}; }
CM_HD double at_least(double x, double low) { return x > low ? x : low; }
CM_HD double at_most(double x, double high) { return x < high ? x : high; }

template <int P, class Real>
struct SphDeposit {
    static constexpr int kWide = 8;
    using Wide = typename VectorOf<Real, kWide>::Type;

    const DepositGrid grid;
    math::SphShape shape;
    Real q[7];
    double integral;  ///< of the unit kernel over the plane

    SphDeposit(const DepositGrid& g, math::SphKernel kernel) : grid(g), shape(math::sph_shape(kernel)) {
        for (int k = 0; k < 7; ++k) q[k] = Real(shape.q[k]);
        integral = math::sph_integral(shape);
    }

    CM_HD Wide values(const Wide& x2, Real rest) const {  ///< kernel at t = rest - x2
        const Wide t = rest - x2;
        return math::sph_value(q, t > 0 ? t : Wide{});
    }

    /// Squared distances, in units of the support, of the sample columns from the particle.
    CM_HD int columns(const Reach& c, double x, double per_support, Wide (&x2)[kMaxVectors]) const {
        const Real start = Real((c.first + 0.5 - x) * per_support), step = Real(per_support);
        const int n_vectors = (int(c.last - c.first) + kWide) / kWide;
        const Wide lane = {0, 1, 2, 3, 4, 5, 6, 7};
        for (int k = 0; k < n_vectors; ++k) {
            const Wide dx = start + (lane + Real(k * kWide)) * step;
            x2[k] = dx * dx;
        }
        return n_vectors;
    }

    /// Evaluate a row of samples, keep them in float64 and return their sum lane by lane.
    CM_HD Wide row_samples(const Wide* x2, int n_vectors, double y, double* share) const {
        Wide sum{};
        for (int k = 0; k < n_vectors; ++k) {
            const Wide value = values(x2[k], Real(1 - y * y));
            sum += value;
            for (int l = 0; l < kWide; ++l) share[k * kWide + l] = double(value[l]);
        }
        return sum;
    }

    /// One sample per pixel, normalised by the sum of all samples whether inside the image or not.
    template <int NVectors>  // vectors per row, or 0: found here
    CM_HD void sampled(const Reach& r, const Reach& c, double row, double col, double support, Weights<P>& w) const {
        Wide x2[kMaxVectors];
        const double per_support = 1 / support;
        const int found = columns(c, col, per_support, x2), n_vectors = NVectors ? NVectors : found;
        const int n_rows = int(r.last - r.first) + 1, width = n_vectors * kWide;
        alignas(64) double share[kMaxSide * kMaxVectors * kWide];
        Wide sum{};
        for (int j = 0; j < n_rows; ++j)
            sum += row_samples(x2, n_vectors, (r.first + j + 0.5 - row) * per_support, share + j * width);
        double total = 0;
        for (int l = 0; l < kWide; ++l) total += double(sum[l]);
        w.scale(1 / total);
        // Whole vectors are deposited, zeros included, where they fit: no branch depends on the width of the kernel.
        const bool fits =
            r.first >= 0 && r.last < double(grid.rows) && c.first >= 0 && c.first + width <= double(grid.cols + kApron);
        const int j_begin = fits ? 0 : int(at_least(0, -r.first));
        const int j_end = fits ? n_rows : int(at_most(double(n_rows), double(grid.rows) - r.first));
        const int k_begin = fits ? 0 : int(at_least(0, -c.first));
        const int k_end = fits ? width : int(at_most(double(width), double(grid.cols) - c.first));
        double* pixels = grid.pixel(std::int64_t(r.first) + j_begin, std::int64_t(c.first));
        for (int j = j_begin; j < j_end; ++j, pixels += grid.stride()) {
            const double* const s = share + j * width;
            if (NVectors && fits)
                for (int k = 0; k < NVectors * kWide; ++k) w.add_to(pixels + k * grid_lanes(), s[k]);
            else
                for (int k = k_begin; k < k_end; ++k) w.add_to(pixels + k * grid_lanes(), s[k]);
        }
    }

    CM_HD void sampled(double row, double col, double support, Weights<P>& w) const {
        const Reach r = reach(row, support), c = reach(col, support);
        if (!(r.last >= 0 && r.first < double(grid.rows) && c.last >= 0 && c.first < double(grid.cols))) return;
        if (c.last - c.first < kWide)
            sampled<1>(r, c, row, col, support, w);
        else
            sampled<0>(r, c, row, col, support, w);
    }

    /// Sum of the samples of a kernel of many pixels.
    double sum_samples(const Reach& r, const Reach& c, double row, double col, double per_support) const {
        const Wide lane = {0, 1, 2, 3, 4, 5, 6, 7};
        double total = 0;
        for (double j = r.first; j <= r.last; ++j) {
            const double y = (j + 0.5 - row) * per_support;
            Wide sum{};
            for (double k = c.first; k <= c.last; k += kWide) {
                const Wide dx = Real((k + 0.5 - col) * per_support) + lane * Real(per_support);
                sum += values(dx * dx, Real(1 - y * y));
            }
            for (int l = 0; l < kWide; ++l) total += double(sum[l]);
        }
        return total;
    }

    /// A kernel of many pixels: only the part inside the image is deposited.
    void wide(double row, double col, double support, Weights<P>& w) const {
        const Reach r = reach(row, support), c = reach(col, support);
        if (!(r.last >= 0 && r.first < double(grid.rows) && c.last >= 0 && c.first < double(grid.cols))) return;
        w.scale(1 / (support > kMaxSummedSupport<Real> ? integral * support * support
                                                       : sum_samples(r, c, row, col, 1 / support)));
        const double last_row = at_most(r.last, double(grid.rows - 1)), last = at_most(c.last, double(grid.cols - 1));
        for (double j = at_least(r.first, 0); j <= last_row; ++j) {
            const double y = (j + 0.5 - row) / support;
            for (double k = at_least(c.first, 0); k <= last; ++k) {
                const double x = (k + 0.5 - col) / support, t = 1 - y * y - x * x;
                if (t > 0) w.add_to(grid.pixel(std::int64_t(j), std::int64_t(k)), math::sph_value(shape.q, t));
            }
        }
    }

    /// A kernel of a pixel or less: samples at the centres of `split` x `split` parts, summed per pixel.
    void split(double row, double col, const math::SphSampling& s, Weights<P>& w) const {
        constexpr int kMaxPixels = 5;
        const double parts = double(s.split), u = row * parts, v = col * parts;
        const Reach r = reach(u, s.support), c = reach(v, s.support);
        const double first_row = std::floor(r.first / parts), first_col = std::floor(c.first / parts);
        if (!(first_row > -kMaxPixels && first_row < double(grid.rows) && first_col > -kMaxPixels &&
              first_col < double(grid.cols)))
            return;
        Wide x2[kMaxVectors];
        columns(c, v, 1 / s.support, x2);
        double share[kMaxPixels][kMaxPixels] = {}, total = 0;
        const int n_rows = int(r.last - r.first) + 1, n_cols = int(c.last - c.first) + 1;
        int pixel_col[kWide];
        for (int k = 0; k < n_cols; ++k) pixel_col[k] = int(std::floor((c.first + k) / parts) - first_col);
        for (int j = 0; j < n_rows; ++j) {
            const double y = (r.first + j + 0.5 - u) / s.support;
            const Wide value = values(x2[0], Real(1 - y * y));
            double* const into = share[int(std::floor((r.first + j) / parts) - first_row)];
            for (int k = 0; k < n_cols; ++k) {
                into[pixel_col[k]] += double(value[k]);
                total += double(value[k]);
            }
        }
        w.scale(1 / total);
        for (int j = 0; j < kMaxPixels; ++j)
            for (int k = 0; k < kMaxPixels; ++k)
                if (share[j][k] > 0)
                    add_inside(std::int64_t(first_row) + j, std::int64_t(first_col) + k, w, share[j][k]);
    }

    void operator()(const Block<Real>& block) const {
        for (int i = 0; i < block.n; ++i) {
            block.prefetch(i);
            const double row = block.row[i], col = block.col[i];
            const auto s = math::sph_sampling(shape, double(block.smoothing_length[block.item[i]]) * block.per_pixel);
            Weights<P> w;
            w.load(block.weights + block.item[i] * block.channels, block.channels);
            if (s.split == 1 && s.support <= kMaxKeptSupport)
                sampled(row, col, s.support, w);
            else if (s.split == 1)
                wide(row, col, s.support, w);
            else if (s.split > 1)
                split(row, col, s, w);
            else if (row >= 0 && row < double(grid.rows) && col >= 0 && col < double(grid.cols))
                w.add_to(grid.pixel(std::int64_t(row), std::int64_t(col)), 1.0);
        }
    }

private:
    CM_HD std::int64_t grid_lanes() const { return P == 0 ? grid.lanes : P; }
    CM_HD void add_inside(std::int64_t row, std::int64_t col, const Weights<P>& w, double value) const {
        if (row >= 0 && row < grid.rows && col >= 0 && col < grid.cols) w.add_to(grid.pixel(row, col), value);
    }
};

template <int P, class Real>
void deposit(const Block<Real>& block, const DepositGrid& grid, Assignment assignment, const SphDeposit<P, Real>& sph) {
    switch (assignment) {
        case Assignment::ngp: return assign_block<P, 1>(block, grid, [](double x) { return math::ngp_share(x); });
        case Assignment::cic: return assign_block<P, 2>(block, grid, [](double x) { return math::cic_share(x); });
        case Assignment::tsc: return assign_block<P, 3>(block, grid, [](double x) { return math::tsc_share(x); });
        case Assignment::sph: return sph(block);
    }
}

}  // namespace
}  // namespace CM_ISA
}  // namespace clustermass::ops
