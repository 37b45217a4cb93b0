#include "clustermass/ops/kde.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"

namespace clustermass::ops {

// clang-format off
namespace baseline { extern const KdeLoops<float> kde_loops_f32; extern const KdeLoops<double> kde_loops_f64; }
#if defined(CM_MULTI_ISA)
namespace avx2 { extern const KdeLoops<float> kde_loops_f32; extern const KdeLoops<double> kde_loops_f64; }
namespace avx512 { extern const KdeLoops<float> kde_loops_f32; extern const KdeLoops<double> kde_loops_f64; }
#define CM_CHOOSE(table) choose(best_isa(), &baseline::table, &avx2::table, &avx512::table)
#else
#define CM_CHOOSE(table) baseline::table
#endif
// clang-format on

namespace {

constexpr double kLog2E = 1.4426950408889634, kTwoPi = 6.283185307179586;
constexpr std::int64_t kMaxChunks = 256;
constexpr std::int64_t kGridWork = 32;  // of a cluster besides its points, in points
constexpr std::int64_t kMaxCells = std::int64_t(1) << 31;

/// What is taken apart of an exponent at most [powers of 2], and how faint the brightest cell may be, in weights of
/// all points, before terms that got lost could show: the cluster is then done again with the next.
template <class Real>
constexpr double kLimit = sizeof(Real) == 4 ? 35 : 290;
template <class Real>
constexpr double kFaintest = sizeof(Real) == 4 ? 1e-8 : 1e-100;

template <class Real>
const KdeLoops<Real>& loops();
template <>
const KdeLoops<float>& loops<float>() {
    return CM_CHOOSE(kde_loops_f32);
}
template <>
const KdeLoops<double>& loops<double>() {
    return CM_CHOOSE(kde_loops_f64);
}

struct FreeAligned {
    void operator()(void* p) const { ::operator delete(p, std::align_val_t(64)); }
};

using Scratch = std::unique_ptr<void, FreeAligned>;

Scratch make_scratch(std::int64_t bytes) { return Scratch(::operator new(std::size_t(bytes), std::align_val_t(64))); }

KdeGrid make_grid(Table<const double> axes) {
    constexpr int kSlots[3][3] = {{2, 0, 0}, {0, 2, 0}, {0, 1, 2}};
    KdeGrid grid{int(axes.rows), {}, {}, {1, 1, 1}, {}, {}};
    for (int axis = 0; axis < grid.dims; ++axis) {
        const double first = axes(axis, 0), step = axes(axis, 1), n = axes(axis, 2);
        if (!(n >= 1 && n <= double(kMaxCells)) || !(step > 0))
            throw DomainError("`axes` must have cells of some width");
        const int slot = kSlots[grid.dims - 1][axis];
        grid.slot[axis] = slot;
        grid.is_used[slot] = true;
        grid.n[slot] = std::int64_t(n);
        grid.centre[axis] = first + 0.5 * (n - 1) * step;
        grid.per_length[axis] = 1 / step;
    }
    return grid;
}

template <class Real>
struct Job {
    Table<const Real> points;
    Span<const std::int64_t> offsets;
    Span<const Real> weights;
    KdeGrid grid;
    const KdeRule& rule;
    Table<Real> out;

    std::int64_t size() const { return out.rows; }
};

template <class Real>
void check(const Job<Real>& job) {
    const std::int64_t kernel = job.rule.kernel.size, square = job.points.cols * job.points.cols;
    if (job.offsets.size != job.size() + 1 || job.offsets[0] != 0 || job.offsets[job.size()] != job.points.rows)
        throw ArrayError("`offsets` must start at 0, end at the number of points and be one longer than `out`");
    for (std::int64_t i = 0; i < job.size(); ++i)
        if (job.offsets[i] > job.offsets[i + 1]) throw DomainError("`offsets` must never decrease");
    if (job.weights.size != 0 && job.weights.size != job.points.rows)
        throw ArrayError("`weights` must be empty or one per point");
    if (kernel != 0 && kernel != square && kernel != job.size() * square)
        throw ArrayError("`kernel` must hold no covariance, one, or one per cluster");
    if (job.out.cols != job.grid.size()) throw ArrayError("`out` must have a column per cell of the grid");
}

/// Kernel of a cluster and what the sums over points are multiplied by where the whole plane is to integrate to 1.
struct Kernel {
    double precision[6];  ///< of slots, per cell^2, for powers of 2
    double per_volume;
};

template <class Real>
Kernel make_kernel(const Job<Real>& job, std::int64_t cluster, const KdeMoments& moments) {
    const KdeGrid& grid = job.grid;
    const int dims = grid.dims;
    math::KernelShape shape;
    if (job.rule.kernel.size > 0) {
        const std::int64_t square = dims * dims;
        const double* const given = job.rule.kernel.data + (job.rule.kernel.size > square ? cluster * square : 0);
        double covariance[9] = {};
        for (int a = 0; a < dims; ++a)
            for (int b = 0; b < dims; ++b)
                covariance[3 * a + b] = given[dims * a + b] * grid.per_length[a] * grid.per_length[b];
        shape = math::invert(covariance, dims);
    } else {
        const double effective_n = moments.total * moments.total / moments.total_squares;
        shape = math::kernel_of(moments.covariance,
                                math::bandwidth_factor(job.rule.bandwidth, job.rule.factor, effective_n, dims), dims);
    }
    constexpr int kUpper[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};
    Kernel kernel{{}, 1 / (moments.total * shape.width)};
    for (int a = 0; a < dims; ++a) {
        for (int b = a; b < dims; ++b)
            kernel.precision[kUpper[grid.slot[a]][grid.slot[b]]] = kLog2E * shape.precision[3 * a + b];
        kernel.per_volume *= grid.per_length[a] / std::sqrt(kTwoPi);
    }
    return kernel;
}

/// Factor of the raw sums; 0 for a grid that nothing reaches.
double normalisation(KdeNormalise how, const Kernel& kernel, double sum, double largest_weight) {
    if (how == KdeNormalise::density) return kernel.per_volume;
    if (how == KdeNormalise::none) return largest_weight;
    return sum > 0 ? 1 / sum : 0.0;
}

/// The same in float64 and, if need be, without taking anything apart: for what would be lost in a faint grid.
template <class Real>
KdeSummary evaluate_carefully(const KdePoints<Real>& cluster, const KdeGrid& grid, const double* precision,
                              double faintest, double* out) {
    const auto& loop = loops<double>();
    const Scratch scratch = make_scratch(loop.scratch_bytes(grid));
    const std::vector<double> points(cluster.points, cluster.points + cluster.n * grid.dims);
    const std::vector<double> weights(cluster.weights, cluster.weights ? cluster.weights + cluster.n : nullptr);
    const KdePoints<double> wide{points.data(), cluster.weights ? weights.data() : nullptr, cluster.n,
                                 cluster.weight_scale};
    if (sizeof(Real) == 4) {
        const KdeSummary summary = loop.evaluate(wide, grid, precision, kLimit<double>, scratch.get(), out);
        if (summary.peak >= faintest * kFaintest<double>) return summary;
    }
    return loop.evaluate(wide, grid, precision, 0.0, scratch.get(), out);
}

/// False when the points are not finite.
template <class Real>
bool estimate(const Job<Real>& job, std::int64_t cluster, void* scratch) {
    const std::int64_t first = job.offsets[cluster], n = job.offsets[cluster + 1] - first, cells = job.grid.size();
    const auto& loop = loops<Real>();
    Real* const out = job.out.row(cluster);
    KdePoints<Real> points{job.points.row(first), job.weights.size ? job.weights.data + first : nullptr, n, 1.0};
    double largest_weight = 1;
    if (points.weights) {
        largest_weight = n > 0 ? double(*std::max_element(points.weights, points.weights + n)) : 0.0;
        points.weight_scale = largest_weight > 0 ? 1 / largest_weight : 0.0;
    }
    const KdeMoments moments = loop.moments(points, job.grid);
    if (!moments.is_finite) return false;
    if (!(moments.total > 0)) {
        std::fill_n(out, cells, Real(0));
        return true;
    }
    const Kernel kernel = make_kernel(job, cluster, moments);
    const KdeSummary summary = loop.evaluate(points, job.grid, kernel.precision, kLimit<Real>, scratch, out);
    if (summary.peak >= kFaintest<Real> * moments.total) {
        loop.scale(out, cells, normalisation(job.rule.normalise, kernel, summary.sum, largest_weight));
    } else {
        std::vector<double> wide(std::size_t(cells), 0.0);
        const KdeSummary again = evaluate_carefully(points, job.grid, kernel.precision, moments.total, wide.data());
        const double factor = normalisation(job.rule.normalise, kernel, again.sum, largest_weight);
        std::transform(wide.begin(), wide.end(), out, [&](double value) { return Real(value * factor); });
    }
    return true;
}

}  // namespace

template <class Real>
bool estimate_density(Table<const Real> points, Span<const std::int64_t> offsets, Span<const Real> weights,
                      Table<const double> axes, const KdeRule& rule, const Parallel& run, Table<Real> out) {
    if (axes.rows < 1 || axes.rows > 3 || axes.cols != 3 || points.cols != axes.rows)
        throw ArrayError("`axes` must have a row (first, step, n) for each of the 1 to 3 columns of `points`");
    const Job<Real> job{points, offsets, weights, make_grid(axes), rule, out};
    check(job);
    const std::int64_t n_chunks = std::min(kMaxChunks, job.size());
    const auto work = [&](std::int64_t cluster) { return offsets[cluster] + kGridWork * cluster; };
    const auto start = [&](std::int64_t chunk) {  // the first cluster of a chunk: chunks have about the same work
        const std::int64_t target = work(job.size()) / n_chunks * chunk;
        std::int64_t low = 0, high = job.size();
        while (low < high) {
            const std::int64_t middle = low + (high - low) / 2;
            (work(middle) < target ? low : high) = work(middle) < target ? middle + 1 : middle;
        }
        return chunk == n_chunks ? job.size() : low;
    };
    std::atomic<bool> finite{true};
    parallel_chunks(n_chunks, run, [&](std::int64_t chunk) {
        const std::int64_t first = start(chunk), last = start(chunk + 1);
        if (first == last || !finite) return;
        const Scratch scratch = make_scratch(loops<Real>().scratch_bytes(job.grid));
        for (std::int64_t cluster = first; cluster < last; ++cluster)
            if (!estimate(job, cluster, scratch.get())) finite = false;
    });
    return finite;
}

#define CM_INSTANTIATE(Real)                                                                            \
    template bool estimate_density<Real>(Table<const Real>, Span<const std::int64_t>, Span<const Real>, \
                                         Table<const double>, const KdeRule&, const Parallel&, Table<Real>);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::ops
