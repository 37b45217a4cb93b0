#pragma once
#include "deposit.hpp"

/// SPH deposit of a block: see math/sph_kernel.hpp for what is sampled where.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

constexpr double kMaxKeptSupport = 32;  ///< the samples of a wider kernel are not kept between summing and depositing
constexpr int kMaxSide = 66, kMaxVectors = 9, kMaxFastRows = 18;

/// First and last pixel centre within `support` of x, still floating point; empty when first > last.
struct Reach {
    double first, last;
};
CM_HD Reach reach(double x, double support) { return {std::ceil(x - support - 0.5), std::floor(x + support - 0.5)}; }
CM_HD double at_least(double x, double low) { return x > low ? x : low; }
CM_HD double at_most(double x, double high) { return x < high ? x : high; }

template <int P, class Real, class Block>
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

    CM_HD Wide values(Wide x2, Real rest) const {  ///< kernel at t = rest - x2
        const Wide t = rest - x2;
        return math::sph_value(q, t > 0 ? t : Wide{});
    }

    /// Squared distances, in units of the support, of the sample columns from the particle; the first is `x` pixels
    /// away.
    template <int NVectors>
    CM_HD void columns(double x, double per_support, Wide* x2) const {
        const Real start = Real(x * per_support), step = Real(per_support);
        const Wide lane = {0, 1, 2, 3, 4, 5, 6, 7};
        for (int k = 0; k < NVectors; ++k) {
            const Wide dx = start + (lane + Real(k * kWide)) * step;
            x2[k] = dx * dx;
        }
    }

    /// Evaluate rows of samples, keep them in float64 and return their sum. NVectors: per row, 0 if not known before.
    template <int NVectors>
    CM_HD double sample_rows(const Wide* x2, int n_vectors, int n_rows, double first, double step,
                             double* share) const {
        const int n = NVectors ? NVectors : n_vectors;
        Wide sum{};
        for (int j = 0; j < n_rows; ++j) {
            const double y = first + j * step;
            for (int k = 0; k < n; ++k, share += kWide) {
                const Wide value = values(x2[k], Real(1 - y * y));
                sum += value;
                store(share, __builtin_convertvector(value, Double8));
            }
        }
        double s[kWide];
        for (int l = 0; l < kWide; ++l) s[l] = double(sum[l]);
        return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
    }

    /// One sample per pixel, normalised by the sum of all samples whether inside the image or not.
    void sampled(double row, double col, double support, Weights<P>& w) const {
        const Reach r = reach(row, support), c = reach(col, support);
        if (!(r.last >= 0 && r.first < double(grid.rows) && c.last >= 0 && c.first < double(grid.cols))) return;
        Wide x2[kMaxVectors];
        const double step = 1 / support;
        const int n_vectors = (int(c.last - c.first) + kWide) / kWide, width = n_vectors * kWide;
        columns<kMaxVectors>(c.first + 0.5 - col, step, x2);
        const int n_rows = int(r.last - r.first) + 1;
        alignas(64) double share[kMaxSide * kMaxVectors * kWide];
        w.scale(1 / sample_rows<0>(x2, n_vectors, n_rows, (r.first + 0.5 - row) * step, step, share));
        const int j_end = int(at_most(double(n_rows), double(grid.rows) - r.first));
        const int k_end = int(at_most(double(width), double(grid.cols) - c.first));
        for (int j = int(at_least(0, -r.first)); j < j_end; ++j) {
            double* const pixels = grid.pixel(std::int64_t(r.first) + j, std::int64_t(c.first));
            for (int k = int(at_least(0, -c.first)); k < k_end; ++k)
                w.add_to(pixels + k * grid_lanes(), share[j * width + k]);
        }
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

    /// A kernel of many pixels: only the part inside the image is evaluated and deposited.
    void wide(double row, double col, double support, Weights<P>& w) const {
        const Reach r = reach(row, support), c = reach(col, support);
        if (!(r.last >= 0 && r.first < double(grid.rows) && c.last >= 0 && c.first < double(grid.cols))) return;
        const double step = 1 / support, last_row = at_most(r.last, double(grid.rows - 1));
        w.scale(1 / (support > math::kMaxSummedSupport<Real> ? integral * support * support
                                                             : sum_samples(r, c, row, col, step)));
        for (double j = at_least(r.first, 0); j <= last_row; ++j) {
            const double y = (j + 0.5 - row) * step, rest = 1 - y * y;
            if (!(rest > 0)) continue;
            const Reach in_row = reach(col, std::sqrt(rest) * support);
            const double first = at_least(in_row.first, 0), last = at_most(in_row.last, double(grid.cols - 1));
            if (!(first <= last)) continue;
            double* pixels = grid.pixel(std::int64_t(j), std::int64_t(first));
            wide_row(pixels, std::int64_t(last - first) + 1, first + 0.5 - col, step, Real(rest), w);
        }
    }

    /// Samples of n pixels of a row, the first `x` pixels away from the particle.
    CM_HD void wide_row(double* pixels, std::int64_t n, double x, double step, Real rest, const Weights<P>& w) const {
        for (; n > 0; n -= kWide, x += kWide, pixels += kWide * grid_lanes()) {
            Wide x2;
            columns<1>(x, step, &x2);
            const Double8 share = __builtin_convertvector(values(x2, rest), Double8);
            if (n >= kWide)
                for (int k = 0; k < kWide; ++k) w.add_to(pixels + k * grid_lanes(), share[k]);
            else
                for (int k = 0; k < int(n); ++k) w.add_to(pixels + k * grid_lanes(), share[k]);
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
        columns<1>(c.first + 0.5 - v, 1 / s.support, x2);
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

    void any(const Block& block, int i) const {
        const double row = block.row[i], col = block.col[i];
        const auto s = math::sph_sampling(shape, block.support_of(i));
        Weights<P> w;
        w.read(block.weights_of(i), block.channels);
        if (s.split == 1 && s.support <= kMaxKeptSupport)
            sampled(row, col, s.support, w);
        else if (s.split == 1)
            wide(row, col, s.support, w);
        else if (s.split > 1)
            split(row, col, s, w);
        else if (row >= 0 && row < double(grid.rows) && col >= 0 && col < double(grid.cols))
            w.add_to(grid.pixel(std::int64_t(row), std::int64_t(col)), 1.0);
    }

    /// Most kernels are one or two vectors wide and lie inside the image: those go through a fast lane.
    void operator()(const Block& block) const {
        FastLane lane;
        measure(block, lane);
        sort(block, lane);
        for (int k = 0; k < lane.begin[kKeysPerWidth]; ++k) any(block, lane.order[k]);
        deposit_fast<2>(block, lane);
        deposit_fast<3>(block, lane);
        deposit_fast<4>(block, lane);
        deposit_fast<5>(block, lane);
        deposit_fast<6>(block, lane);
        deposit_fast<7>(block, lane);
        deposit_fast<8>(block, lane);
    }

private:
    /// Per particle of a block: where its samples begin and how many there are. The fast lane takes kernels up to 16
    /// pixels wide inside the image, sorted by width (in pairs of pixels) and rows: the loops over them are then
    /// unrolled or predicted, where in random order every particle would be a surprise.
    static constexpr int kMaxPairs = 8, kKeysPerWidth = kMaxFastRows + 1, kKeys = (kMaxPairs + 1) * kKeysPerWidth;
    struct FastLane {
        double per_support[kBlock], first_row[kBlock], first_col[kBlock];
        std::int32_t n_rows[kBlock], key[kBlock];
        std::int32_t begin[kKeys + 1];  ///< first place in `order` of each key; keys below kKeysPerWidth: not fast
        std::uint16_t order[kBlock];
    };

    /// Square roots and divisions for the whole block at once, and each particle's key.
    void measure(const Block& block, FastLane& lane) const {
        const double rows = double(grid.rows), cols = double(grid.cols);
        for (int i = 0; i < block.n; ++i) lane.per_support[i] = block.support_of(i);
        for (int i = 0; i < block.n; ++i) {
            const double support = lane.per_support[i], broad = std::sqrt(support * support + shape.broaden);
            const Reach r = reach(block.row[i], broad), c = reach(block.col[i], broad);
            const double n_rows = r.last - r.first + 1, pairs = at_least(std::ceil(0.5 * (c.last - c.first + 1)), 2.0);
            const bool fast = (support >= 1) & (r.first >= 0) & (r.last < rows) & (c.first >= 0) & (c.last < cols) &
                              (n_rows <= kMaxFastRows) & (pairs <= kMaxPairs);
            lane.per_support[i] = 1 / broad;
            lane.first_row[i] = r.first;
            lane.first_col[i] = c.first;
            const double rows_if = fast ? n_rows : 0.0, pairs_if = fast ? pairs : 0.0;
            lane.n_rows[i] = std::int32_t(rows_if);
            lane.key[i] = std::int32_t(pairs_if * kKeysPerWidth + rows_if);
        }
    }

    /// Counting sort by key; equal keys keep their order.
    static void sort(const Block& block, FastLane& lane) {
        std::int32_t count[kKeys] = {};
        for (int i = 0; i < block.n; ++i) ++count[lane.key[i]];
        lane.begin[0] = 0;
        for (int k = 0; k < kKeys; ++k) {
            lane.begin[k + 1] = lane.begin[k] + count[k];
            count[k] = lane.begin[k];
        }
        auto ahead0 = block.ahead[0], ahead1 = block.ahead[1];
        for (int i = 0; i < block.n; ++i) {
            ahead0.next();
            ahead1.next();
            lane.order[count[lane.key[i]]++] = std::uint16_t(i);
        }
    }

    /// Samples of one particle while those of the one before it are deposited: the two are independent, and neither
    /// alone fills the processor.
    template <int NPairs>
    void deposit_fast(const Block& block, const FastLane& lane) const {
        constexpr int kVectors = (2 * NPairs + kWide - 1) / kWide;
        alignas(64) double share[2][kMaxFastRows * kVectors * kWide];
        const int begin = lane.begin[NPairs * kKeysPerWidth], end = lane.begin[(NPairs + 1) * kKeysPerWidth];
        double total = 0;
        for (int k = begin; k <= end; ++k) {
            const double last_total = total;
            if (k < end) total = sample_fast<kVectors>(block, lane, lane.order[k], share[k & 1]);
            if (k > begin) add_fast<NPairs, kVectors>(block, lane, lane.order[k - 1], share[~k & 1], last_total);
        }
    }

    template <int NVectors>
    CM_HD double sample_fast(const Block& block, const FastLane& lane, int i, double* share) const {
        const double step = lane.per_support[i];
        Wide x2[NVectors];
        columns<NVectors>(lane.first_col[i] + 0.5 - block.col[i], step, x2);
        const double first = (lane.first_row[i] + 0.5 - block.row[i]) * step;
        if constexpr (sizeof(Real) == sizeof(float))
            return sample_sixteen(x2[0], x2[NVectors - 1], NVectors == 1, lane.n_rows[i], first, step, share);
        else
            return sample_rows<NVectors>(x2, NVectors, lane.n_rows[i], first, step, share);
    }

    /// As sample_rows, for float32, sixteen samples at a time: two rows of eight (the second may lie outside the
    /// kernel, its samples are 0) or one of sixteen. Half the steps, each as long: more of them are under way at once.
    CM_HD double sample_sixteen(const Float8& left, const Float8& right, bool two_rows, int n_rows, double first,
                                double step, double* share) const {
        const Float16 x2 = __builtin_shufflevector(left, right, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        Float16 sum{};
        for (int j = 0; j < n_rows; j += two_rows ? 2 : 1, share += 16) {
            const double y = first + j * step, next = two_rows ? y + step : y;
            const Float8 rest = Float8{} + float(1 - y * y), rest_next = Float8{} + float(1 - next * next);
            const Float16 t =
                __builtin_shufflevector(rest, rest_next, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) - x2;
            const Float16 value = math::sph_value(q, t > 0 ? t : Float16{});
            sum += value;
            for (int l = 0; l < 16; ++l) share[l] = double(value[l]);
        }
        const Float8 half = __builtin_shufflevector(sum, sum, 0, 1, 2, 3, 4, 5, 6, 7) +
                            __builtin_shufflevector(sum, sum, 8, 9, 10, 11, 12, 13, 14, 15);
        double s[kWide];
        for (int l = 0; l < kWide; ++l) s[l] = double(half[l]);
        return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
    }

    template <int NPairs, int NVectors>
    CM_HD void add_fast(const Block& block, const FastLane& lane, int i, const double* share, double total) const {
        Weights<P> w;
        w.read(block.weights_of(i), block.channels);
        w.scale(1 / total);
        double* pixels = grid.pixel(std::int64_t(lane.first_row[i]), std::int64_t(lane.first_col[i]));
        for (int j = 0; j < lane.n_rows[i]; ++j, pixels += grid.stride(), share += NVectors * kWide)
            for (int k = 0; k < 2 * NPairs; ++k) w.add_to(pixels + k * grid_lanes(), share[k]);
    }

    CM_HD std::int64_t grid_lanes() const { return P == 0 ? grid.lanes : P; }
    CM_HD void add_inside(std::int64_t row, std::int64_t col, const Weights<P>& w, double value) const {
        if (row >= 0 && row < grid.rows && col >= 0 && col < grid.cols) w.add_to(grid.pixel(row, col), value);
    }
};

template <int P, class Real, class Block>
void deposit(const Block& block, const DepositGrid& grid, Assignment assignment,
             const SphDeposit<P, Real, Block>& sph) {
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
