#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"
#include "lightcone_loops.hpp"

namespace clustermass::ops {
namespace {

constexpr std::int64_t kBucketSize = 8192;  // galaxies: what the second sort moves stays in the second-level cache
constexpr std::int64_t kMaxBuckets = 1024;  // streams that the first sort writes to
constexpr std::int64_t kMaxChunks = 16;
constexpr std::int64_t kMinChunkSize = 32768;

const GalaxyIndexLoops& loops() {
#if defined(CM_MULTI_ISA)
    return choose(best_isa(), &baseline::kGalaxyIndexLoops, &avx2::kGalaxyIndexLoops, &avx512::kGalaxyIndexLoops);
#else
    return baseline::kGalaxyIndexLoops;
#endif
}

const GalaxySort<float>& sort_of(const GalaxyTable<float>&) { return loops().sort_f32; }
const GalaxySort<double>& sort_of(const GalaxyTable<double>&) { return loops().sort_f64; }

/// Two counting sorts: galaxies go to buckets of neighbouring cells, then within each bucket to their cells. One sort
/// over all cells would write to memory in no order. Both keep the given order.
template <class Real>
class Builder {
public:
    Builder(const GalaxyTable<Real>& in, const GalaxyIndexOut<Real>& out)
        : in_(in), out_(out), steps_(sort_of(in)), n_(in.positions.rows), n_cells_(out.cells.count()) {
        n_chunks_ = std::clamp<std::int64_t>(n_ / kMinChunkSize, 1, kMaxChunks);
        const std::int64_t wanted = std::clamp<std::int64_t>(n_ / kBucketSize, 1, kMaxBuckets);
        while (((n_cells_ - 1) >> shift_) + 1 > wanted) ++shift_;
        n_buckets_ = ((n_cells_ - 1) >> shift_) + 1;
        next_.assign(std::size_t(n_chunks_ * n_buckets_), 0);
        bucket_start_.assign(std::size_t(n_buckets_ + 1), 0);
    }

    IndexResult build(const Parallel& run, double& max_speed) {
        std::vector<IndexResult> results(std::size_t(n_chunks_), IndexResult::done);
        std::vector<double> largest(std::size_t(n_chunks_), 0.0);
        parallel_chunks(n_chunks_, run, [&](std::int64_t c) {
            results[std::size_t(c)] =
                steps_.count(in_, out_, begin(c), begin(c + 1), shift_, counts(c), largest[std::size_t(c)]);
        });
        for (const IndexResult r : {IndexResult::not_finite, IndexResult::not_representable})
            if (std::find(results.begin(), results.end(), r) != results.end()) return r;
        max_speed = std::sqrt(*std::max_element(largest.begin(), largest.end()));
        add_up();
        parallel_chunks(n_chunks_, run, [&](std::int64_t c) {
            steps_.distribute(in_, out_, begin(c), begin(c + 1), shift_, counts(c));
        });
        parallel_chunks(n_buckets_, run, [&](std::int64_t b) { sort_bucket(b); });
        out_.cell_start[n_cells_] = n_;
        std::fill_n(out_.coarse.data + 3 * n_, kCoarsePadding, std::uint16_t(0));
        return IndexResult::done;
    }

private:
    std::int64_t begin(std::int64_t chunk) const { return n_ * chunk / n_chunks_; }
    std::int64_t* counts(std::int64_t chunk) { return next_.data() + chunk * n_buckets_; }

    /// Counts become places: bucket by bucket, and within a bucket chunk by chunk, which keeps the given order.
    void add_up() {
        std::int64_t total = 0;
        for (std::int64_t b = 0; b < n_buckets_; ++b) {
            bucket_start_[std::size_t(b)] = total;
            for (std::int64_t c = 0; c < n_chunks_; ++c) {
                std::int64_t& here = counts(c)[b];
                const std::int64_t count = here;
                here = total;
                total += count;
            }
        }
        bucket_start_[std::size_t(n_buckets_)] = total;
    }

    void sort_bucket(std::int64_t b) {
        const std::int64_t from = bucket_start_[std::size_t(b)], to = bucket_start_[std::size_t(b + 1)];
        const std::int64_t first = b << shift_, last = std::min(n_cells_, (b + 1) << shift_);
        const auto size = std::size_t(to - from);
        const std::unique_ptr<Real[]> records(new Real[size * std::size_t(kRecord)]);
        const std::unique_ptr<std::int32_t[]> rows(new std::int32_t[size]), cells(new std::int32_t[size]);
        const std::unique_ptr<std::int64_t[]> next(new std::int64_t[std::size_t(last - first)]);
        steps_.sort(in_, out_, from, to, first, last, records.get(), rows.get(), cells.get(), next.get());
    }

    const GalaxyTable<Real>& in_;
    const GalaxyIndexOut<Real>& out_;
    const GalaxySort<Real>& steps_;
    const std::int64_t n_, n_cells_;
    std::int64_t n_chunks_ = 1, n_buckets_ = 1;
    int shift_ = 0;
    std::vector<std::int64_t> next_, bucket_start_;
};

}  // namespace

template <class Real>
IndexResult build_galaxy_index(const GalaxyTable<Real>& galaxies, const Parallel& run, const GalaxyIndexOut<Real>& out,
                               double& max_speed) {
    const CellGrid& g = out.cells;
    for (int a = 0; a < 3; ++a)
        if (g.n[a] < 1 || g.n[a] > 1024 || !(g.size[a] > 0) || !std::isfinite(g.size[a]) || !std::isfinite(g.origin[a]))
            throw DomainError("index: needs 1 to 1024 cells of positive size along each axis");
    const auto n = galaxies.positions.rows, hosts = galaxies.hosts.size;
    if (n > INT32_MAX) throw DomainError("index: holds at most 2^31 - 1 galaxies");
    if (galaxies.positions.cols != 3 || galaxies.velocities.rows != n || galaxies.velocities.cols != 3 ||
        (hosts && hosts != n) || out.records.rows != n || out.records.cols != kRecord || out.rows.size != n ||
        out.hosts.size != hosts || out.coarse.size != 3 * n + kCoarsePadding || out.cell_start.size != g.count() + 1)
        throw ArrayError("index: the arrays do not fit together");
    return Builder<Real>(galaxies, out).build(run, max_speed);
}

template IndexResult build_galaxy_index<float>(const GalaxyTable<float>&, const Parallel&, const GalaxyIndexOut<float>&,
                                               double&);
template IndexResult build_galaxy_index<double>(const GalaxyTable<double>&, const Parallel&,
                                                const GalaxyIndexOut<double>&, double&);

}  // namespace clustermass::ops
