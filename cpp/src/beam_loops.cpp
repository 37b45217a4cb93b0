#include <cstring>

#include "clustermass/core/vector.hpp"
#include "clustermass/math/symmetric_filter.hpp"
#include "clustermass/ops/beam.hpp"

/// An image goes through in panels of kLanes rows. A panel is transposed, so that a vector holds one column of it,
/// filtered along the columns and transposed back into a window of filtered rows; the window is filtered down the
/// rows into the output. Both filters are then the same code on whole vectors, and all but the image itself stays in
/// the first caches. An output row is written after all input rows that it needs were read, so input and output may
/// be the same memory.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

using namespace clustermass::CM_ISA;

/// Outputs of one filter step: each takes three registers.
template <class Real>
constexpr int kOutputs = kLanes<Real> < kVectorRegisters / 4 ? kLanes<Real> : kVectorRegisters / 4;
constexpr std::int64_t kTileCols = 128;     // columns of a panel worked on at a time
constexpr std::int64_t kWindowSlack = 32;   // rows the window takes beyond its need before it is moved up
constexpr std::int64_t kPrefetchRows = 32;  // 24 to 128 measured alike, 16 worse
constexpr std::int64_t kCacheLine = 64;     // [byte]

CM_HD std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
CM_HD std::int64_t most(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

template <class Real>
CM_HD std::int64_t whole_vectors(std::int64_t n) {
    return (n + kLanes<Real> - 1) / kLanes<Real> * kLanes<Real>;
}

/// Fetch what one filter step consumes or produces, some rows ahead. The caches do not see the image as one stream
/// because many rows are in use at once: without this the step waits for memory (17 against 13 us per image of 120 x
/// 120).
template <int Write, class Real>
CM_HD void prefetch(const Real* image, std::int64_t offset) {
    const auto from = reinterpret_cast<std::uintptr_t>(image) + std::uintptr_t(offset) * sizeof(Real);
    for (std::int64_t i = 0; i < kOutputs<Real> * kVectorBytes; i += kCacheLine)
        __builtin_prefetch(reinterpret_cast<const void*>(from + std::uintptr_t(i)), Write, 3);
}

/// Reads x(i) of each lane from vectors `stride` apart.
template <class Real>
struct Along {
    const Real* centre;
    std::int64_t stride;
    CM_HD Vector<Real> operator()(std::int64_t i) const { return load(centre + i * stride); }
};

template <class Real>
struct Job {
    static constexpr std::int64_t L = kLanes<Real>, N = kOutputs<Real>;
    BeamImage<Real> image;
    std::int64_t out_rows, out_cols, row_reach, col_reach;
    std::int64_t window_rows, window_stride;
    Real* panel;   ///< vectors, each one column of kLanes rows
    Real* window;  ///< window_rows x window_stride: rows that are filtered along the columns
    Vector<Real> not_finite;

    CM_HD Job(const BeamImage<Real>& job, Real* scratch) : image(job), not_finite{} {
        out_rows = image.rows - 2 * image.margin;
        out_cols = image.cols - 2 * image.margin;
        // Beyond the image is zero: taps that reach across all of it add nothing.
        row_reach = image.margin ? image.reach : least(image.reach, image.rows - 1);
        col_reach = image.margin ? image.reach : least(image.reach, image.cols - 1);
        window_rows = 2 * row_reach + L + N + kWindowSlack;
        // An odd number of vectors: rows a power of two apart would compete for the same cache lines.
        window_stride = whole_vectors<Real>(out_cols) | L;
        panel = scratch;
        window = scratch + panel_size();
    }

    CM_HD std::int64_t panel_size() const {
        return (least(whole_vectors<Real>(out_cols), kTileCols) + 2 * col_reach + L) * L;
    }
    CM_HD std::int64_t scratch_size() const { return panel_size() + window_rows * window_stride; }

    /// L columns of `n_rows` rows, transposed; rows that are missing repeat the last one.
    CM_HD void load_block(const Real* from, std::int64_t n_rows, Real* to) {
        Vector<Real> block[L];
        for (std::int64_t i = 0; i < L; ++i) {
            block[i] = load(from + least(i, n_rows - 1) * image.cols);
            not_finite += block[i] - block[i];  // 0, or NaN for ever
        }
        transpose<Real>(block);
        for (std::int64_t i = 0; i < L; ++i) store(to + i * L, block[i]);
    }

    /// The same for n < L columns, all there are.
    void load_narrow(const Real* from, std::int64_t n_rows, std::int64_t n, Real* to) {
        for (std::int64_t c = 0; c < n; ++c)
            for (std::int64_t i = 0; i < L; ++i) {
                const Real value = from[least(i, n_rows - 1) * image.cols + c];
                to[c * L + i] = value;
                not_finite[0] += value - value;
            }
    }

    CM_HD void store_block(Real* to, std::int64_t n_rows, const Real* from) const {
        Vector<Real> block[L];
        for (std::int64_t i = 0; i < L; ++i) block[i] = load(from + i * L);
        transpose<Real>(block);
        for (std::int64_t i = 0; i < n_rows; ++i) store(to + i * window_stride, block[i]);
    }

    /// Filter rows [row, row + n_rows) of the image along output columns [c0, c0 + n_cols) into the window from `to`.
    /// Loading runs just ahead of filtering, and results replace what was read, so that the work overlaps.
    void filter_tile(std::int64_t row, std::int64_t n_rows, std::int64_t c0, std::int64_t n_cols, Real* to) {
        const std::int64_t n_in = n_cols + 2 * col_reach;
        const std::int64_t origin = c0 + image.margin - col_reach;  // image column of the first panel vector
        const std::int64_t first = most(0, -origin), last = least(n_in, image.cols - origin);
        const Real* const from = image.in + row * image.cols + origin;
        std::memset(panel, 0, std::size_t(first * L) * sizeof(Real));
        std::memset(panel + last * L, 0, std::size_t((n_in - last) * L) * sizeof(Real));
        std::int64_t loaded = first;
        if (last - first < L) {
            load_narrow(from + first, n_rows, last - first, panel + first * L);
            loaded = last;
        }
        for (std::int64_t c = 0; c < n_cols; c += L) {
            for (; loaded < least(last, c + L + 2 * col_reach); loaded += L) {
                const std::int64_t at = least(loaded, last - L);  // the last block overlaps the one before
                load_block(from + at, n_rows, panel + at * L);
            }
            for (std::int64_t h = c; h < c + L; h += N) {
                Vector<Real> sums[N];
                math::symmetric_filter(image.taps, col_reach, Along<Real>{panel + (h + col_reach) * L, L}, sums);
                for (std::int64_t j = 0; j < N; ++j) store(panel + (h + j) * L, sums[j]);
                prefetch<1>(image.out, row * out_cols + (c0 + h) * L);
            }
            store_block(to + c0 + c, n_rows, panel + c * L);
        }
    }

    /// Filter down the rows: output rows [row, row + n), n <= N, from window rows that begin at `from`.
    void filter_down(const Real* from, std::int64_t row, std::int64_t n) const {
        const std::int64_t ahead = (row + image.margin + row_reach + kPrefetchRows) * image.cols;
        for (std::int64_t c = 0; c < out_cols; c += L) {
            const std::int64_t at = out_cols < L ? 0 : least(c, out_cols - L);
            Vector<Real> sums[N];
            math::symmetric_filter(image.taps, row_reach,
                                   Along<Real>{from + row_reach * window_stride + at, window_stride}, sums);
            prefetch<0>(image.in, ahead + c * N);
            Real* const to = image.out + row * out_cols + at;
            for (std::int64_t j = 0; j < n; ++j) {
                if (out_cols >= L)
                    store(to + j * out_cols, sums[j]);
                else
                    std::memcpy(to + j * out_cols, &sums[j], std::size_t(out_cols) * sizeof(Real));
            }
        }
    }

    /// Append up to L rows to the window at `to`: filtered ones of the image, or zeros from outside it.
    std::int64_t append(std::int64_t filtered_row, Real* to) {
        const std::int64_t row = filtered_row + image.margin - row_reach;
        if (row < 0 || row >= image.rows) {
            const std::int64_t n = row < 0 ? least(L, -row) : L;
            std::memset(to, 0, std::size_t(n * window_stride) * sizeof(Real));
            return n;
        }
        const std::int64_t n = least(L, least(image.rows, image.margin + out_rows + row_reach) - row);
        for (std::int64_t c = 0; c < out_cols; c += kTileCols)
            filter_tile(row, n, c, least(kTileCols, out_cols - c), to);
        return n;
    }

    bool run() {
        std::int64_t start = 0, next = 0;  // filtered rows in the window: [start, next)
        for (std::int64_t done = 0; done < out_rows; done += N) {
            const std::int64_t n = least(N, out_rows - done);
            while (next < done + n + 2 * row_reach) {
                if (next - start + L + N > window_rows) {
                    std::memmove(window, window + (done - start) * window_stride,
                                 std::size_t((next - done) * window_stride) * sizeof(Real));
                    start = done;
                }
                next += append(next, window + (next - start) * window_stride);
            }
            filter_down(window + (done - start) * window_stride, done, n);
        }
        Real sum = 0;
        for (std::int64_t i = 0; i < L; ++i) sum += not_finite[i];
        return sum == 0;
    }
};

template <class Real>
bool all_finite(const Real* values, std::int64_t n) {
    Vector<Real> sums{};
    std::int64_t i = 0;
    for (; i + kLanes<Real> <= n; i += kLanes<Real>) sums += load(values + i) - load(values + i);
    Real sum = 0;
    for (int lane = 0; lane < kLanes<Real>; ++lane) sum += sums[lane];
    for (; i < n; ++i) sum += values[i] - values[i];
    return sum == 0;
}

/// A filter of one tap, which is 1.
template <class Real>
bool copy(const BeamImage<Real>& image) {
    const std::int64_t n = image.cols - 2 * image.margin;
    bool finite = true;
    for (std::int64_t r = 0; r < image.rows - 2 * image.margin; ++r) {
        const Real* const from = image.in + (r + image.margin) * image.cols + image.margin;
        finite &= all_finite(from, n);
        std::memmove(image.out + r * n, from, std::size_t(n) * sizeof(Real));
    }
    return finite;
}

template <class Real>
std::int64_t scratch_size(const BeamImage<Real>& image) {
    return Job<Real>(image, nullptr).scratch_size();
}

template <class Real>
bool convolve(const BeamImage<Real>& image, Real* scratch) {
    return image.reach == 0 ? copy(image) : Job<Real>(image, scratch).run();
}

}  // namespace

extern const BeamLoops<float> beam_loops_f32;
extern const BeamLoops<double> beam_loops_f64;
const BeamLoops<float> beam_loops_f32{scratch_size<float>, convolve<float>, all_finite<float>};
const BeamLoops<double> beam_loops_f64{scratch_size<double>, convolve<double>, all_finite<double>};

}  // namespace CM_ISA
}  // namespace clustermass::ops
