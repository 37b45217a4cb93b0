#pragma once
#include <cstdint>

#include "clustermass/core/vector.hpp"
#include "clustermass/ops/kde.hpp"

/// Points of a cluster in cells, some at a time, and their covariance. For the loops of kde and kde_gradient.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

using namespace clustermass::CM_ISA;

constexpr std::int64_t kPoints = 128;  // at a time: float32 sums are no longer than this

CM_HD std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
CM_HD std::int64_t most(std::int64_t a, std::int64_t b) { return a > b ? a : b; }
CM_HD std::int64_t pieces(std::int64_t n, std::int64_t largest) { return (n + largest - 1) / largest; }
CM_HD double larger(double a, double b) { return a > b ? a : b; }
CM_HD double smaller(double a, double b) { return a < b ? a : b; }

template <class Real>
CM_HD std::int64_t padded(std::int64_t n) {
    return pieces(n, kLanes<Real>) * kLanes<Real>;
}

/// Some points in cells from the middle of the grid. A whole number of vectors: those beyond the end have no weight.
/// Slots that are not used hold zeros.
struct Block {
    alignas(64) double x[3][kPoints], weight[kPoints];
    std::int64_t n, n_padded;
};

template <class Real, int Dims>
void load_axes(const Real* from, std::int64_t n, const KdeGrid& grid, Block& block) {
    for (int axis = 0; axis < Dims; ++axis) {
        double* const to = block.x[grid.slot[axis]];
        const double centre = grid.centre[axis], scale = grid.per_length[axis];
        for (std::int64_t i = 0; i < n; ++i) to[i] = (double(from[Dims * i + axis]) - centre) * scale;
    }
}

/// `n` points from `first` on.
template <class Real>
void load_block(const KdePoints<Real>& cluster, std::int64_t first, std::int64_t n, const KdeGrid& grid, Block& block) {
    block.n = n;
    block.n_padded = padded<double>(n);
    const Real* const from = cluster.points + first * grid.dims;
    if (grid.dims == 1) load_axes<Real, 1>(from, n, grid, block);
    if (grid.dims == 2) load_axes<Real, 2>(from, n, grid, block);
    if (grid.dims == 3) load_axes<Real, 3>(from, n, grid, block);
    for (std::int64_t i = 0; i < n; ++i)
        block.weight[i] = cluster.weights ? double(cluster.weights[first + i]) * cluster.weight_scale : 1.0;
    for (int slot = 0; slot < 3; ++slot) {
        const std::int64_t first_empty = grid.is_used[slot] ? n : 0;
        for (std::int64_t i = first_empty; i < block.n_padded; ++i) block.x[slot][i] = 0;
    }
    for (std::int64_t i = n; i < block.n_padded; ++i) block.weight[i] = 0;
}

CM_HD double total(Vector<double> lanes) {
    double sum = 0;
    for (int i = 0; i < kLanes<double>; ++i) sum += lanes[i];
    return sum;
}

/// Covariance about the mean, both about the first point that has a weight: identical points give exactly 0.
template <class Real>
KdeMoments moments(const KdePoints<Real>& cluster, const KdeGrid& grid) {
    KdeMoments result{0, 0, {}, true};
    Block block;
    double origin[3] = {}, mean[3] = {};
    std::int64_t start = 0;
    while (cluster.weights && start + 1 < cluster.n && !(cluster.weights[start] > 0)) ++start;
    for (int axis = 0; axis < grid.dims && cluster.n > 0; ++axis)
        origin[axis] = (double(cluster.points[start * grid.dims + axis]) - grid.centre[axis]) * grid.per_length[axis];
    const auto each_block = [&](auto&& body) {
        for (std::int64_t first = 0; first < cluster.n; first += kPoints) {
            if (first > 0 || cluster.n > kPoints || result.total == 0)
                load_block(cluster, first, least(kPoints, cluster.n - first), grid, block);
            for (std::int64_t i = 0; i < block.n_padded; i += kLanes<double>) body(i, load(block.weight + i));
        }
    };
    Vector<double> weights{}, squares{}, sums[3] = {}, not_finite{};
    each_block([&](std::int64_t i, Vector<double> w) {
        weights += w;
        squares += w * w;
        for (int axis = 0; axis < grid.dims; ++axis) {
            const Vector<double> x = load(block.x[grid.slot[axis]] + i);
            sums[axis] += w * (x - origin[axis]);
            not_finite += x - x;
        }
    });
    result.total = total(weights);
    result.total_squares = total(squares);
    if (total(not_finite) != 0) result.is_finite = false;  // NaN is not 0
    if (!(result.total > 0) || !result.is_finite) return result;
    for (int axis = 0; axis < grid.dims; ++axis) mean[axis] = origin[axis] + total(sums[axis]) / result.total;
    Vector<double> products[3][3] = {};
    each_block([&](std::int64_t i, Vector<double> w) {
        Vector<double> d[3];
        for (int a = 0; a < grid.dims; ++a) d[a] = load(block.x[grid.slot[a]] + i) - mean[a];
        for (int a = 0; a < grid.dims; ++a)
            for (int b = 0; b <= a; ++b) products[a][b] += w * d[a] * d[b];
    });
    const double freedom = result.total - result.total_squares / result.total;
    for (int a = 0; a < grid.dims; ++a)
        for (int b = 0; b <= a; ++b) {
            const double value = freedom > 1e-14 * result.total ? total(products[a][b]) / freedom : 0.0;
            result.covariance[3 * a + b] = result.covariance[3 * b + a] = value;
            result.is_finite &= value - value == 0;
        }
    return result;
}

}  // namespace
}  // namespace CM_ISA
}  // namespace clustermass::ops
