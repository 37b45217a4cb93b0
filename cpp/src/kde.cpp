#include "clustermass/ops/kde.hpp"

#include <algorithm>
#include <atomic>
#include <vector>

#include "clustermass/core/error.hpp"
#include "kde_job.hpp"

namespace clustermass::ops {
namespace {

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
    const Kernel kernel = make_kernel(job.grid, job.rule, cluster, moments);
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
    std::atomic<bool> finite{true};
    parallel_chunks(n_chunks, run, [&](std::int64_t chunk) {
        const std::int64_t first = chunk_start(offsets, chunk, n_chunks),
                           last = chunk_start(offsets, chunk + 1, n_chunks);
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
