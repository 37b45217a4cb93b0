#include "clustermass/ops/divergence.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "clustermass/core/error.hpp"
#include "clustermass/math/divergence.hpp"

namespace clustermass::ops {

#define CM_DECLARE(isa)                                           \
    namespace isa {                                               \
    extern const DivergenceLoops<float> loops_of_divergence_f32;  \
    extern const DivergenceLoops<double> loops_of_divergence_f64; \
    }
CM_DECLARE(baseline)
#if defined(CM_MULTI_ISA)
CM_DECLARE(avx2)
CM_DECLARE(avx512)
#define CM_CHOOSE(isa, table) choose(isa, &baseline::table, &avx2::table, &avx512::table)
#else
#define CM_CHOOSE(isa, table) (static_cast<void>(isa), baseline::table)
#endif
#undef CM_DECLARE

template <>
const DivergenceLoops<float>& divergence_loops<float>(Isa isa) {
    return CM_CHOOSE(isa, loops_of_divergence_f32);
}
template <>
const DivergenceLoops<double>& divergence_loops<double>(Isa isa) {
    return CM_CHOOSE(isa, loops_of_divergence_f64);
}
#undef CM_CHOOSE

namespace {

constexpr std::int64_t kBlockPoints = 512;            // queries that are worked on together: they stay in the L1 cache
constexpr std::int64_t kChunkDistances = 50'000'000;  // about 5 ms
constexpr std::int64_t kSearchAbove = 96;             // points of a cluster from which sorted search is faster

template <class Real>
void check(const PointSets<Real>& sets, std::int64_t fewest, const char* name) {
    const std::int64_t n = sets.size();
    if (n < 0 || sets.offsets[0] != 0 || sets.offsets[n] != sets.points.rows)
        throw ArrayError(std::string("`") + name + "` must start at 0 and end at the number of points");
    for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t size = sets.offsets[i + 1] - sets.offsets[i];
        if (size < fewest || sets.offsets[i + 1] > sets.points.rows)
            throw ArrayError(std::string("`") + name + "` must give each cluster at least " + std::to_string(fewest) +
                             " points for this `k`, got " + std::to_string(size) + " for cluster " + std::to_string(i));
    }
}

/// Points by axis, one axis after another; of one dimension each cluster rises.
template <class Real>
struct Axes {
    std::int64_t stride;
    std::vector<Real> values;

    explicit Axes(const PointSets<Real>& sets)
        : stride(sets.points.rows + kNeighbourPadding), values(std::size_t(stride * sets.points.cols), Real(0)) {
        for (std::int64_t i = 0; i < sets.points.rows; ++i)
            for (std::int64_t axis = 0; axis < sets.points.cols; ++axis)
                values[std::size_t(axis * stride + i)] = sets.points(i, axis);
        if (sets.points.cols == 1)
            for (std::int64_t c = 0; c < sets.size(); ++c)
                std::sort(values.begin() + sets.offsets[c], values.begin() + sets.offsets[c + 1],
                          [](Real a, Real b) { return a < b || (b != b && a == a); });  // an order even with NaN
    }
    const Real* from(std::int64_t point) const { return values.data() + point; }
};

/// The same cluster by cluster, each padded with points at infinity.
template <class Real>
struct Padded {
    std::vector<std::int64_t> start;
    std::vector<Real> values;
    int dims;

    Padded(const Axes<Real>& axes, const PointSets<Real>& sets) : dims(int(sets.points.cols)) {
        start.push_back(0);
        for (std::int64_t c = 0; c < sets.size(); ++c) {
            const std::int64_t n = sets.offsets[c + 1] - sets.offsets[c];
            start.push_back(start.back() + (n + kNeighbourGroup - 1) / kNeighbourGroup * kNeighbourGroup);
        }
        values.assign(std::size_t(start.back() * dims), std::numeric_limits<Real>::infinity());
        for (std::int64_t c = 0; c < sets.size(); ++c)
            for (int axis = 0; axis < dims; ++axis)
                std::copy(axes.from(sets.offsets[c]) + axis * axes.stride,
                          axes.from(sets.offsets[c + 1]) + axis * axes.stride,
                          values.begin() + start[std::size_t(c)] * dims + axis * size(c));
    }
    std::int64_t size(std::int64_t c) const { return start[std::size_t(c) + 1] - start[std::size_t(c)]; }
    const Real* cluster(std::int64_t c) const { return values.data() + start[std::size_t(c)] * dims; }
};

/// First cluster of each block of about kBlockPoints points, and the end.
std::vector<std::int64_t> make_blocks(Span<const std::int64_t> offsets) {
    std::vector<std::int64_t> blocks{0};
    for (std::int64_t c = 1; c < offsets.size - 1; ++c)
        if (offsets[c + 1] - offsets[blocks.back()] > kBlockPoints) blocks.push_back(c);
    blocks.push_back(offsets.size - 1);
    return blocks;
}

template <class Real>
class Job {
public:
    Job(const PointSets<Real>& rows, const PointSets<Real>& columns, const DivergenceRule& rule, Table<double> out)
        : rows_(rows),
          columns_(columns),
          rule_(rule),
          out_(out),
          dims_(int(rows.points.cols)),
          lowest_(math::smallest_square(dims_)),
          power_(math::renyi_power(rule.alpha, dims_)),
          bias_(is_kl() ? 0.0 : math::renyi_bias(rule.alpha, rule.k)),
          loops_(divergence_loops<Real>(best_isa())),
          queries_(rows),
          own_(queries_, rows),
          other_axes_(columns),
          others_(other_axes_, columns),
          sum_log_rho2_(std::size_t(rows.size())),
          log_rho2_(is_kl() ? 0 : std::size_t(rows.points.rows)) {}

    void run(const Parallel& parallel) {
        const std::vector<std::int64_t> blocks = make_blocks(rows_.offsets);
        const std::int64_t n_blocks = std::int64_t(blocks.size()) - 1;
        parallel_chunks(n_blocks, parallel, [&](std::int64_t b) { prepare(blocks[b], blocks[b + 1]); });
        const double distances = double(rows_.points.rows) * double(columns_.points.rows);
        const std::int64_t n_parts = std::clamp<std::int64_t>(
            std::int64_t(distances / double(n_blocks) / double(kChunkDistances)), 1, columns_.size());
        parallel_chunks(n_blocks * n_parts, parallel, [&](std::int64_t chunk) {
            const std::int64_t b = chunk / n_parts, part = chunk % n_parts;
            compare(blocks[b], blocks[b + 1], columns_.size() * part / n_parts, columns_.size() * (part + 1) / n_parts);
        });
    }

private:
    using Buffer = std::vector<Real>;

    bool is_kl() const { return rule_.alpha == 1.0; }
    std::int64_t first_point(std::int64_t row) const { return rows_.offsets[row]; }
    std::int64_t n_points(std::int64_t row) const { return rows_.offsets[row + 1] - rows_.offsets[row]; }
    Buffer make_buffer(std::int64_t n) const { return Buffer(std::size_t(n + kNeighbourPadding)); }
    Buffer make_scratch() const { return Buffer(std::size_t((rule_.k + 2) * 64) / sizeof(Real)); }

    /// Distances of the points of some rows to their k-th neighbour in a cluster.
    void search(std::int64_t first, std::int64_t last, const Real* data, std::int64_t padded, std::int64_t size,
                std::int64_t k, Buffer& scratch, Real* out) const {
        const std::int64_t begin = first_point(first), end = first_point(last);
        if (dims_ > 1 || size < kSearchAbove)
            return loops_.kth_squares(queries_.from(begin), queries_.stride, end - begin, data, padded, dims_, k,
                                      scratch.data(), out);
        for (std::int64_t row = first; row < last; ++row)
            loops_.kth_squares_sorted(queries_.from(first_point(row)), n_points(row), data, size, k,
                                      out + first_point(row) - begin);
    }

    /// Distances within a cluster: a point is its own nearest one, so the neighbour after the k-th is meant.
    void prepare(std::int64_t first, std::int64_t last) {
        Buffer scratch = make_scratch();
        for (std::int64_t row = first; row < last; ++row) {
            Buffer squares = make_buffer(n_points(row));
            search(row, row + 1, own_.cluster(row), own_.size(row), n_points(row), rule_.k + 1, scratch,
                   squares.data());
            sum_log_rho2_[std::size_t(row)] = loops_.sum_log(squares.data(), n_points(row), lowest_);
            if (!is_kl())
                for (std::int64_t i = 0; i < n_points(row); ++i)
                    log_rho2_[std::size_t(first_point(row) + i)] =
                        std::log(std::max(double(squares[std::size_t(i)]), lowest_));
        }
    }

    void compare(std::int64_t first, std::int64_t last, std::int64_t first_column, std::int64_t last_column) {
        Buffer squares = make_buffer(first_point(last) - first_point(first)), scratch = make_scratch();
        for (std::int64_t column = first_column; column < last_column; ++column) {
            const std::int64_t m = columns_.offsets[column + 1] - columns_.offsets[column];
            search(first, last, others_.cluster(column), others_.size(column), m, rule_.k, scratch, squares.data());
            for (std::int64_t row = first; row < last; ++row)
                out_(row, column) = rule_.is_one_batch && row == column
                                        ? 0.0
                                        : divergence(row, squares.data() + first_point(row) - first_point(first), m);
        }
    }

    double divergence(std::int64_t row, const Real* squares, std::int64_t m) const {
        const std::int64_t n = n_points(row);
        if (is_kl())
            return math::kl_divergence(loops_.sum_log(squares, n, lowest_), sum_log_rho2_[std::size_t(row)], n, m,
                                       dims_);
        const double* log_rho2 = log_rho2_.data() + first_point(row);
        return math::renyi_divergence(loops_.log_mean_power(squares, log_rho2, n, power_, lowest_), bias_, n, m,
                                      rule_.alpha);
    }

    const PointSets<Real>& rows_;
    const PointSets<Real>& columns_;
    const DivergenceRule rule_;
    const Table<double> out_;
    const int dims_;
    const double lowest_, power_, bias_;
    const DivergenceLoops<Real>& loops_;
    const Axes<Real> queries_;
    const Padded<Real> own_;
    const Axes<Real> other_axes_;
    const Padded<Real> others_;
    std::vector<double> sum_log_rho2_, log_rho2_;
};

}  // namespace

template <class Real>
void divergences(const PointSets<Real>& rows, const PointSets<Real>& columns, const DivergenceRule& rule,
                 const Parallel& run, Table<double> out) {
    if (rows.points.cols < 1 || rows.points.cols > 3 || columns.points.cols != rows.points.cols)
        throw ArrayError("`points` must have 1 to 3 columns, the same in both batches");
    if (rule.k < 1 || rule.k > (std::int64_t(1) << 20)) throw DomainError("`k` must be from 1 to 2^20");
    if (!(std::abs(rule.alpha - 1) < double(rule.k))) throw DomainError("`alpha` must be less than `k` from 1");
    check(rows, rule.k + 1, "offsets");
    check(columns, rule.k, "other_offsets");
    if (out.rows != rows.size() || out.cols != columns.size()) throw ArrayError("`out` must have shape (n, m)");
    if (rule.is_one_batch && out.rows != out.cols) throw ArrayError("one batch must have as many rows as columns");
    if (out.size() == 0) return;
    Job<Real>(rows, columns, rule, out).run(run);
}

template void divergences<float>(const PointSets<float>&, const PointSets<float>&, const DivergenceRule&,
                                 const Parallel&, Table<double>);
template void divergences<double>(const PointSets<double>&, const PointSets<double>&, const DivergenceRule&,
                                  const Parallel&, Table<double>);

}  // namespace clustermass::ops
