#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/ops/kde_body.hpp"
#include "clustermass_cuda/launch.cuh"

/// What a block of threads finds out about the points of one cluster: their moments and the kernel made of them.
namespace clustermass::cuda {

/// What the threads of a block share besides partial sums.
struct KdeCluster {
    double origin[3], mean[3], largest_weight, total, total_squares;
    double is_finite;  ///< flag
    ops::KdeMoments moments;
    ops::Kernel kernel;
};

template <class Real>
struct KdeClusters {
    using Cluster = KdeCluster;
    static constexpr int kThreads = int(kThreadsPerBlock);
    static constexpr int kMoments = 8, kPartials = 6;  ///< phases; partial sums of each thread

    Table<const Real> points;
    const std::int64_t* offsets;
    const Real* weights;
    ops::KdeGrid grid;
    ops::KdeRule rule;
    std::int64_t first;  ///< cluster of the first block

    /// Offsets that came from the device were checked by nobody.
    __device__ std::int64_t offset(std::int64_t i) const {
        const std::int64_t at = offsets[i];
        return at < 0 ? 0 : at < points.rows ? at : points.rows;
    }
    __device__ std::int64_t begin(std::int64_t block) const { return offset(first + block); }
    __device__ std::int64_t count(std::int64_t block) const {
        const std::int64_t n = offset(first + block + 1) - begin(block);
        return n > 0 ? n : 0;
    }
    /// Coordinate in cells from the middle of the grid.
    __device__ double coordinate(std::int64_t point, int axis) const {
        return (double(points(point, axis)) - grid.centre[axis]) * grid.per_length[axis];
    }
    __device__ double weight(std::int64_t point, const Cluster& shared) const {
        if (!weights) return 1;
        return shared.largest_weight > 0 ? double(weights[point]) * (1 / shared.largest_weight) : 0.0;
    }
    /// Thread q adds up the partial sums q of all threads into the first.
    static __device__ void reduce(const Place& place, double* partial, int n) {
        if (place.thread >= n) return;
        double* const own = partial + place.thread * kThreads;
        double sum = 0;
        for (int t = 0; t < kThreads; ++t) sum += own[t];
        own[0] = sum;
    }

    __device__ void moments(int phase, const Place& place, Cluster& shared, double* partial) const {
        const std::int64_t from = begin(place.block), n = count(place.block);
        double* const own = partial + place.thread;
        const auto each = [&](const auto& body) {
            for (std::int64_t i = place.thread; i < n; i += place.threads) body(from + i, i);
        };
        if (phase == 0) {  // largest weight, and the first point that has one
            double largest = 0, found = double(n);
            each([&](std::int64_t p, std::int64_t i) {
                const double w = weights ? double(weights[p]) : 1.0;
                largest = std::fmax(largest, w);
                if (w > 0) found = std::fmin(found, double(i));
            });
            own[0] = largest;
            own[kThreads] = found;
        } else if (phase == 1) {
            if (place.thread != 0) return;
            double largest = 0, found = double(n);
            for (int t = 0; t < kThreads; ++t) {
                largest = std::fmax(largest, partial[t]);
                found = std::fmin(found, partial[kThreads + t]);
            }
            shared.largest_weight = weights ? largest : 1.0;
            for (int a = 0; a < 3; ++a)
                shared.origin[a] = a < grid.dims && found < double(n) ? coordinate(from + std::int64_t(found), a) : 0.0;
        } else if (phase == 2) {
            double sum[kPartials] = {};
            each([&](std::int64_t p, std::int64_t) {
                const double w = weight(p, shared);
                sum[0] += w;
                sum[1] += w * w;
                for (int a = 0; a < grid.dims; ++a) {
                    const double x = coordinate(p, a);
                    sum[2 + a] += w * (x - shared.origin[a]);
                    sum[5] += x - x;
                }
            });
            for (int q = 0; q < kPartials; ++q) own[q * kThreads] = sum[q];
        } else if (phase == 3 || phase == 6) {
            reduce(place, partial, kPartials);
        } else if (phase == 4) {
            if (place.thread == 0) set_mean(shared, partial);
        } else if (phase == 5) {  // products about the mean: 00, 10, 11, 20, 21, 22
            double sum[kPartials] = {};
            each([&](std::int64_t p, std::int64_t) {
                const double w = weight(p, shared);
                double d[3] = {};
                for (int a = 0; a < grid.dims; ++a) d[a] = coordinate(p, a) - shared.mean[a];
                for (int a = 0, q = 0; a < 3; ++a)
                    for (int b = 0; b <= a; ++b, ++q) sum[q] += w * d[a] * d[b];
            });
            for (int q = 0; q < kPartials; ++q) own[q * kThreads] = sum[q];
        } else if (place.thread == 0) {
            make_kernel(place, shared, partial);
        }
    }

    __device__ void set_mean(Cluster& shared, const double* partial) const {
        shared.total = partial[0];
        shared.total_squares = partial[kThreads];
        shared.is_finite = partial[5 * kThreads] == 0 ? 1.0 : 0.0;
        for (int a = 0; a < 3; ++a)
            shared.mean[a] = shared.origin[a] + (shared.total > 0 ? partial[(2 + a) * kThreads] / shared.total : 0.0);
    }

    /// Covariance about the mean, both about the first point that has a weight: identical points give exactly 0.
    __device__ void make_kernel(const Place& place, Cluster& shared, const double* partial) const {
        ops::KdeMoments& m = shared.moments;
        m = {shared.total, shared.total_squares, {}, true};
        const double freedom = m.total - m.total_squares / m.total;
        for (int a = 0, q = 0; a < 3; ++a)
            for (int b = 0; b <= a; ++b, ++q) {
                const double product = partial[q * kThreads];
                const double value = freedom > 1e-14 * m.total ? product / freedom : 0.0;
                m.covariance[3 * a + b] = m.covariance[3 * b + a] = value;
                if (!(value - value == 0)) shared.is_finite = 0;
            }
        shared.kernel = ops::make_kernel(grid, rule, first + place.block, m);
    }

    /// Place of a cell in slots, from the middle of the grid.
    __device__ void from_middle(std::int64_t cell, double (&k)[3]) const {
        const std::int64_t at[3] = {cell / grid.n[2] / grid.n[1], cell / grid.n[2] % grid.n[1], cell % grid.n[2]};
        for (int s = 0; s < 3; ++s) k[s] = double(at[s]) - 0.5 * double(grid.n[s] - 1);
    }
};

}  // namespace clustermass::cuda
