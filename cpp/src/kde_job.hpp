#pragma once
#include <algorithm>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"
#include "clustermass/ops/kde.hpp"

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

inline constexpr double kLog2E = 1.4426950408889634, kTwoPi = 6.283185307179586;
inline constexpr std::int64_t kMaxChunks = 256;
inline constexpr std::int64_t kGridWork = 32;  // of a cluster besides its points, in points
inline constexpr std::int64_t kMaxCells = std::int64_t(1) << 31;

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

inline KdeGrid make_grid(Table<const double> axes) {
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
    math::KernelShape shape;  ///< of axes
    double factor;            ///< bandwidth; 0 where the covariance is given
};

template <class Real>
Kernel make_kernel(const Job<Real>& job, std::int64_t cluster, const KdeMoments& moments) {
    const KdeGrid& grid = job.grid;
    const int dims = grid.dims;
    math::KernelShape shape;
    double factor = 0;
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
        factor = math::bandwidth_factor(job.rule.bandwidth, job.rule.factor, effective_n, dims);
        shape = math::kernel_of(moments.covariance, factor, dims);
    }
    constexpr int kUpper[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};
    Kernel kernel{{}, 1 / (moments.total * shape.width), shape, factor};
    for (int a = 0; a < dims; ++a) {
        for (int b = a; b < dims; ++b)
            kernel.precision[kUpper[grid.slot[a]][grid.slot[b]]] = kLog2E * shape.precision[3 * a + b];
        kernel.per_volume *= grid.per_length[a] / std::sqrt(kTwoPi);
    }
    return kernel;
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
