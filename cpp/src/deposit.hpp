#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/macros.hpp"
#include "clustermass/math/assignment.hpp"
#include "clustermass/math/sph_kernel.hpp"
#include "clustermass/ops/project.hpp"
#include "grid.hpp"
#include "vectors.hpp"

/// Depositing a block of particles on an interleaved float64 grid: the inner loop of `project` and `views`.
/// Included by <op>_loops.cpp only, hence the unnamed namespace: each instruction set has its own copy.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

constexpr int kBlock = 256;  ///< particles per block: its buffers stay in the first-level cache

constexpr std::int64_t kAhead = kBlock;

/// Which particles of the arrays a block holds: a stretch of them, or some picked out.
struct Stretch {
    CM_HD std::int64_t operator[](int i) const { return i; }
};
struct Picked {
    std::int64_t item[kBlock];
    CM_HD std::int64_t operator[](int i) const { return item[i]; }
};

/// Particles of a block, in pixels, and where their weights and smoothing lengths are.
template <class Real, class Items>
struct Block {
    int n;
    double row[kBlock], col[kBlock];  ///< position from the corner of pixel (0, 0)  [pixel]
    Items items;                      ///< index into weights and smoothing_length
    const Real* weights;              ///< (particles, channels)
    std::int64_t channels;
    const Real* smoothing_length;  ///< [Mpc]
    double per_pixel;              ///< [1/Mpc]

    /// Memory that a later block will read. It is asked for particle by particle while this one is deposited: asked for
    /// in one go, the requests would queue up and the deposit wait for them.
    struct Ahead {
        const Real* from;
        std::int64_t step;
        CM_HD void next() {
            __builtin_prefetch(from);
            from += step;
        }
    } ahead[2];

    CM_HD const Real* weights_of(int i) const { return weights + items[i] * channels; }
    CM_HD double support_of(int i) const { return double(smoothing_length[items[i]]) * per_pixel; }
};

/// One particle's weights, padded with zeros to the lanes of the grid. P: lanes, or 0 for any multiple of four.
template <int P>
struct Weights {
    static constexpr int kLanes = P == 0 ? 4 : P, kVectors = P == 0 ? kMaxChannels / 4 : 1;
    using Vector = typename VectorOf<double, kLanes>::Type;
    Vector v[kVectors];
    int n_vectors;

    template <class Real>
    CM_HD void read(const Real* w, std::int64_t channels) {
        n_vectors = P == 0 ? int((channels + 3) / 4) : 1;
        if constexpr (P == 1) {
            v[0] = double(w[0]);
        } else if constexpr (P == 0) {
            for (int k = 0; k < n_vectors; ++k) load_vector(v[k], w + 4 * k, channels - 4 * k);
        } else {
            load_vector(v[0], w, channels);
        }
    }
    CM_HD void scale(double factor) {
        for (int k = 0; k < (P == 0 ? n_vectors : 1); ++k) v[k] *= factor;
    }
    CM_HD void add_to(double* pixel) const {
        for (int k = 0; k < (P == 0 ? n_vectors : 1); ++k, pixel += kLanes) store(pixel, load<Vector>(pixel) + v[k]);
    }
    CM_HD void add_to(double* pixel, double share) const {
        for (int k = 0; k < (P == 0 ? n_vectors : 1); ++k, pixel += kLanes)
            store(pixel, load<Vector>(pixel) + v[k] * share);
    }

private:
    template <class Real>
    CM_HD static void load_vector(Vector& out, const Real* w, std::int64_t n) {
        if (n >= kLanes) {
            if constexpr (kLanes == 2)
                out = Vector{double(w[0]), double(w[1])};
            else
                out = Vector{double(w[0]), double(w[1]), double(w[2]), double(w[3])};
        } else {
            out = Vector{};
            for (int c = 0; c < int(n); ++c) out[c] = double(w[c]);
        }
    }
};

/// Shares of a block's particles along both axes, and where their first pixel is.
template <int N>
struct Shares {
    alignas(64) std::int64_t start[kBlock];  ///< first number of the first pixel in the grid; -1: touches none
    alignas(64) double row[N][kBlock], col[N][kBlock];
};

/// `share` gives the shares of `N` pixels along one axis.
template <int N, class Block, class Share>
CM_HD void find_shares(const Block& block, const DepositGrid& grid, Share share, Shares<N>& out) {
    const double row_end = double(grid.rows), col_end = double(grid.cols);
    const double row_step = double(grid.stride()), col_step = double(grid.lanes);
    const double first = double(kApron) * (row_step + col_step);
    for (int i = 0; i < block.n; ++i) {
        const math::AxisShare<N> r = share(block.row[i]), c = share(block.col[i]);
        const double row = r.first, col = c.first;
        const bool touches = (row > -N) & (row < row_end) & (col > -N) & (col < col_end);
        out.start[i] = std::int64_t(touches ? first + row * row_step + col * col_step : -1.0);
        if constexpr (N > 1)
            for (int k = 0; k < N; ++k) {
                out.row[k][i] = r.share[k];
                out.col[k][i] = c.share[k];
            }
    }
}

/// Deposit of a block with NGP, CIC or TSC.
template <int P, int N, class Block, class Share>
void assign_block(const Block& block, const DepositGrid grid, Share share) {
    Shares<N> shares;
    find_shares(block, grid, share, shares);
    const std::int64_t stride = grid.stride(), lanes = P == 0 ? grid.lanes : P;
    auto ahead0 = block.ahead[0], ahead1 = block.ahead[1];
    for (int i = 0, n = block.n; i < n; ++i) {
        ahead0.next();
        ahead1.next();
        if (shares.start[i] < 0) continue;
        Weights<P> w;
        w.read(block.weights_of(i), block.channels);
        double* pixel = grid.data + shares.start[i];
        if constexpr (N == 1) {
            w.add_to(pixel);
        } else {
            for (int j = 0; j < N; ++j, pixel += stride) {
                Weights<P> in_row = w;
                in_row.scale(shares.row[j][i]);
                for (int k = 0; k < N; ++k) in_row.add_to(pixel + k * lanes, shares.col[k][i]);
            }
        }
    }
}

}  // namespace
}  // namespace CM_ISA
}  // namespace clustermass::ops
