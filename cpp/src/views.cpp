#include "clustermass/ops/views.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "clustermass/core/aligned.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"
#include "reduce.hpp"
#include "runs.hpp"

namespace clustermass::ops {
namespace {

constexpr std::int64_t kMaxGrids = 16;            // at work at once, whatever the number of threads
constexpr std::int64_t kMaxScratch = 16'000'000;  // numbers (128 MB) in all of them together, or one grid
constexpr std::int64_t kMinSlice = 1 << 18;       // candidates; a smaller slice is not worth a grid

const ViewsLoops& loops() {
#if defined(CM_MULTI_ISA)
    return choose(best_isa(), &baseline::kViewsLoops, &avx2::kViewsLoops, &avx512::kViewsLoops);
#else
    return baseline::kViewsLoops;
#endif
}

auto loop_of(const ViewsLoops& table, const ParticleIndex<const float>&) { return table.f32; }
auto loop_of(const ViewsLoops& table, const ParticleIndex<const double>&) { return table.f64; }

template <class Real>
void check(const ParticleIndex<const Real>& index, const ViewsParams& params, std::int64_t rows, std::int64_t cols) {
    const auto channels = index.weights.cols;
    if (rows < 1 || cols < 1 || channels < 1 || channels > kMaxChannels)
        throw DomainError("views: the image needs at least one pixel and 1 to 64 channels");
    if (!(params.half_depth > 0) || !(params.max_support >= 0) || !std::isfinite(params.max_support))
        throw DomainError("views: depth must be positive, the largest smoothing length not negative");
    if (params.assignment == Assignment::sph && index.smoothing_length.size != index.x.size)
        throw ArrayError("views: sph needs an index with smoothing lengths");
    const auto n = index.x.size;
    if (index.y.size != n || index.z.size != n || index.weights.rows != n ||
        index.cell_start.size != index.cells.count() + 1 || index.cell_start[index.cells.count()] != n)
        throw ArrayError("views: the arrays of the index do not fit together");
}

/// One view and the slices it is cut into: by its number of candidates alone, so that bits do not depend on threads.
struct Job {
    std::int64_t view, first_grid, n_slices, n_candidates;
    std::vector<Run> runs;
};

template <class Real, class Out>
class Projector {
public:
    Projector(const ParticleIndex<const Real>& index, Span<const math::View> views, const ViewsParams& params,
              std::int64_t rows, std::int64_t cols, const Parallel& run, Out* images)
        : index_(index),
          views_(views),
          params_(params),
          run_(run),
          images_(images),
          rows_(rows),
          cols_(cols),
          channels_(index.weights.cols),
          grid_size_(DepositGrid::size(rows, cols, channels_)),
          n_grids_(std::clamp<std::int64_t>(kMaxScratch / grid_size_, 1, kMaxGrids)),
          scratch_(n_grids_ * grid_size_) {}

    void project() {
        for (std::int64_t next = 0; next < views_.size;) {
            std::vector<Job> jobs = prepare(next);
            const std::int64_t used = take(jobs);
            jobs.resize(std::size_t(used));
            next += used;
            work(jobs);
        }
    }

private:
    DepositGrid grid(std::int64_t k) {
        return {scratch_.data() + k * grid_size_, rows_, cols_, DepositGrid::lanes_for(channels_)};
    }

    /// Runs of the next views, at most one per grid.
    std::vector<Job> prepare(std::int64_t first) {
        std::vector<Job> jobs(std::size_t(std::min(n_grids_, views_.size - first)));
        parallel_chunks(std::int64_t(jobs.size()), run_, [&](std::int64_t k) {
            Job& job = jobs[std::size_t(k)];
            job.view = first + k;
            const math::View& view = views_[job.view];
            const double margin = params_.max_support + double(kApron) / view.per_pixel;
            const double half[3] = {0.5 * double(rows_) / view.per_pixel + margin,
                                    0.5 * double(cols_) / view.per_pixel + margin, params_.half_depth};
            job.runs = find_runs(index_.cells, index_.cell_start.data, view, half);
            job.n_candidates =
                job.runs.empty() ? 0 : job.runs.back().before + job.runs.back().end - job.runs.back().begin;
            job.n_slices = std::clamp<std::int64_t>(job.n_candidates / kMinSlice, 1, n_grids_);
        });
        return jobs;
    }

    /// Give grids to as many views as have room for all their slices; the others come again in the next wave.
    std::int64_t take(std::vector<Job>& jobs) const {
        std::int64_t used_grids = 0, used = 0;
        for (Job& job : jobs) {
            if (used_grids + job.n_slices > n_grids_) break;
            job.first_grid = used_grids;
            used_grids += job.n_slices;
            ++used;
        }
        return used;
    }

    void work(const std::vector<Job>& jobs) {
        std::vector<std::pair<const Job*, std::int64_t>> slices;
        for (const Job& job : jobs)
            for (std::int64_t s = 0; s < job.n_slices; ++s) slices.emplace_back(&job, s);
        const auto loop = loop_of(loops(), index_);
        parallel_chunks(std::int64_t(slices.size()), run_, [&](std::int64_t k) {
            const auto [job, s] = slices[std::size_t(k)];
            const DepositGrid g = grid(job->first_grid + s);
            std::fill_n(g.data, grid_size_, 0.0);
            loop(index_, views_[job->view], params_, {job->runs.data(), std::int64_t(job->runs.size())},
                 job->n_candidates * s / job->n_slices, job->n_candidates * (s + 1) / job->n_slices, g);
        });
        parallel_chunks(std::int64_t(jobs.size()), run_, [&](std::int64_t k) { store(jobs[std::size_t(k)]); });
    }

    void store(const Job& job) {
        const Stack<Out> out{images_ + job.view * channels_ * rows_ * cols_, channels_, rows_, cols_};
        for (std::int64_t row = 0; row < rows_; ++row)
            reduce_row(grid(job.first_grid), job.n_slices, grid_size_, row, out,
                       [&](Out& value, double sum) { value = params_.add ? Out(value + sum) : Out(sum); });
    }

    const ParticleIndex<const Real>& index_;
    const Span<const math::View> views_;
    const ViewsParams& params_;
    const Parallel& run_;
    Out* const images_;
    const std::int64_t rows_, cols_, channels_, grid_size_, n_grids_;
    AlignedNumbers scratch_;
};

}  // namespace

template <class Real, class Out>
void project_views(const ParticleIndex<const Real>& index, Span<const math::View> views, const ViewsParams& params,
                   std::int64_t rows, std::int64_t cols, const Parallel& run, Out* images) {
    check(index, params, rows, cols);
    Projector<Real, Out>(index, views, params, rows, cols, run, images).project();
}

#define CM_INSTANTIATE(Real, Out)                                                                    \
    template void project_views<Real, Out>(const ParticleIndex<const Real>&, Span<const math::View>, \
                                           const ViewsParams&, std::int64_t, std::int64_t, const Parallel&, Out*);
CM_INSTANTIATE(float, float)
CM_INSTANTIATE(float, double)
CM_INSTANTIATE(double, double)
#undef CM_INSTANTIATE

}  // namespace clustermass::ops
