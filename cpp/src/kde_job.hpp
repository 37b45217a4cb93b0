#pragma once
#include <algorithm>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"
#include "clustermass/ops/kde.hpp"
#include "clustermass/ops/kde_body.hpp"

/// What `kde` and `kde_gradient` do alike: the grid, the checks, the kernel of a cluster, the split over threads.
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

inline constexpr std::int64_t kMaxChunks = 256;
inline constexpr std::int64_t kGridWork = 32;  // of a cluster besides its points, in points

/// What is taken apart of an exponent at most [powers of 2], and how faint the brightest cell may be, in weights of
/// all points, before terms that got lost could show: the cluster is then done again with the next.
template <class Real>
inline constexpr double kLimit = sizeof(Real) == 4 ? 35 : 290;
template <class Real>
inline constexpr double kFaintest = sizeof(Real) == 4 ? 1e-8 : 1e-100;

template <class Real>
const KdeLoops<Real>& loops();
template <>
inline const KdeLoops<float>& loops<float>() {
    return CM_CHOOSE(kde_loops_f32);
}
template <>
inline const KdeLoops<double>& loops<double>() {
    return CM_CHOOSE(kde_loops_f64);
}

struct FreeAligned {
    void operator()(void* p) const { ::operator delete(p, std::align_val_t(64)); }
};

using Scratch = std::unique_ptr<void, FreeAligned>;

inline Scratch make_scratch(std::int64_t bytes) {
    return Scratch(::operator new(std::size_t(bytes), std::align_val_t(64)));
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

/// The first cluster of a chunk: chunks have about the same work, points and grids.
inline std::int64_t chunk_start(Span<const std::int64_t> offsets, std::int64_t chunk, std::int64_t n_chunks) {
    const auto work = [&](std::int64_t cluster) { return offsets[cluster] + kGridWork * cluster; };
    const std::int64_t n = offsets.size - 1, target = work(n) / n_chunks * chunk;
    std::int64_t low = 0, high = n;
    while (low < high) {
        const std::int64_t middle = low + (high - low) / 2;
        (work(middle) < target ? low : high) = work(middle) < target ? middle + 1 : middle;
    }
    return chunk == n_chunks ? n : low;
}

}  // namespace clustermass::ops
