#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/error.hpp"
#include "clustermass/core/macros.hpp"
#include "clustermass/core/span.hpp"
#include "clustermass/math/kde.hpp"
#include "clustermass/ops/kde.hpp"

/// What every device does alike for a density estimate: the grid, the kernel of a cluster and its normalisation.
namespace clustermass::ops {

inline KdeGrid make_grid(Table<const double> axes) {
    constexpr int kSlots[3][3] = {{2, 0, 0}, {0, 2, 0}, {0, 1, 2}};
    constexpr double kMaxCells = 2147483648.0;
    KdeGrid grid{int(axes.rows), {}, {}, {1, 1, 1}, {}, {}};
    for (int axis = 0; axis < grid.dims; ++axis) {
        const double first = axes(axis, 0), step = axes(axis, 1), n = axes(axis, 2);
        if (!(n >= 1 && n <= kMaxCells) || !(step > 0)) throw DomainError("`axes` must have cells of some width");
        const int slot = kSlots[grid.dims - 1][axis];
        grid.slot[axis] = slot;
        grid.is_used[slot] = true;
        grid.n[slot] = std::int64_t(n);
        grid.centre[axis] = first + 0.5 * (n - 1) * step;
        grid.per_length[axis] = 1 / step;
    }
    return grid;
}

/// Kernel of a cluster and what the sums over points are multiplied by where the whole plane is to integrate to 1.
struct Kernel {
    double precision[6];  ///< of slots, per cell^2, for powers of 2
    double per_volume;
    math::KernelShape shape;  ///< of axes
    double factor;            ///< bandwidth; 0 where the covariance is given
};

CM_HD Kernel make_kernel(const KdeGrid& grid, const KdeRule& rule, std::int64_t cluster, const KdeMoments& moments) {
    constexpr double kLog2E = 1.4426950408889634, kTwoPi = 6.283185307179586;
    const int dims = grid.dims;
    math::KernelShape shape;
    double factor = 0;
    if (rule.kernel.size > 0) {
        const std::int64_t square = dims * dims;
        const double* const given = rule.kernel.data + (rule.kernel.size > square ? cluster * square : 0);
        double covariance[9] = {};
        for (int a = 0; a < dims; ++a)
            for (int b = 0; b < dims; ++b)
                covariance[3 * a + b] = given[dims * a + b] * grid.per_length[a] * grid.per_length[b];
        shape = math::invert(covariance, dims);
    } else {
        const double effective_n = moments.total * moments.total / moments.total_squares;
        factor = math::bandwidth_factor(rule.bandwidth, rule.factor, effective_n, dims);
        shape = math::kernel_of(moments.covariance, factor, dims);
    }
    const int upper[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};
    Kernel kernel{{}, 1 / (moments.total * shape.width), shape, factor};
    for (int a = 0; a < dims; ++a) {
        for (int b = a; b < dims; ++b)
            kernel.precision[upper[grid.slot[a]][grid.slot[b]]] = kLog2E * shape.precision[3 * a + b];
        kernel.per_volume *= grid.per_length[a] / std::sqrt(kTwoPi);
    }
    return kernel;
}

/// Factor of the raw sums; 0 for a grid that nothing reaches.
CM_HD double normalisation(KdeNormalise how, const Kernel& kernel, double sum, double largest_weight) {
    if (how == KdeNormalise::density) return kernel.per_volume;
    if (how == KdeNormalise::none) return largest_weight;
    return sum > 0 ? 1 / sum : 0.0;
}

}  // namespace clustermass::ops
