#include <algorithm>
#include <cmath>
#include <limits>

#include "clustermass/math/cells.hpp"
#include "clustermass_cuda/ops.hpp"
#include "clustermass_cuda/sorted_cells.cuh"

/// Compiled without contraction to fused multiply-add: a particle goes into the same cell on every backend.
namespace clustermass::cuda {
namespace {

template <class Real>
CM_HD Real stored(const ops::CellGrid& g, const Table<const Real>& positions, std::int64_t i, int axis) {
    return math::stored_coordinate(positions(i, axis), g.size[axis] * double(g.n[axis]), g.is_periodic);
}

template <class Real>
struct MakeKeys {
    ops::CellGrid cells;
    Table<const Real> positions;
    std::uint32_t* keys;
    std::int64_t* values;
    __device__ void operator()(std::int64_t i) const {
        std::int64_t cell = 0;
        for (int a = 0; a < 3; ++a)
            cell = cell * cells.n[a] +
                   math::cell_of(double(stored(cells, positions, i, a)), cells.origin[a], cells.size[a], cells.n[a]);
        keys[i] = std::uint32_t(cell);
        values[i] = i;
    }
};

template <class Real>
struct Gather {
    ops::Particles<Real> in;
    ops::ParticleIndex<Real, std::int64_t> out;
    const std::int64_t* order;
    __device__ void operator()(std::int64_t to) const {
        const std::int64_t from = order[to], channels = in.weights.cols;
        out.x[to] = stored(out.cells, in.positions, from, 0);
        out.y[to] = stored(out.cells, in.positions, from, 1);
        out.z[to] = stored(out.cells, in.positions, from, 2);
        for (std::int64_t c = 0; c < channels; ++c) out.weights(to, c) = in.weights(from, c);
        if (in.smoothing_length.size) out.smoothing_length[to] = in.smoothing_length[from];
    }
};

/// Smallest and largest value of each column, for the rows that a block takes.
template <class Real>
struct Bounds {
    Table<const Real> values;
    double* found;  ///< [block][2][columns]
    std::int64_t n_blocks;
    __device__ std::int64_t phases(std::int64_t) const { return 2; }
    __device__ void operator()(std::int64_t phase, const Place& place, double* shared) const {
        const std::int64_t cols = values.cols;
        for (std::int64_t c = 0; c < cols; ++c) {
            double* const own = shared + 2 * c * kThreadsPerBlock;
            if (phase == 0) {
                double low = HUGE_VAL, high = -HUGE_VAL;
                for (std::int64_t i = place.block * place.threads + place.thread; i < values.rows;
                     i += n_blocks * place.threads) {
                    low = std::fmin(low, double(values(i, c)));
                    high = std::fmax(high, double(values(i, c)));
                }
                own[place.thread] = low;
                own[kThreadsPerBlock + place.thread] = high;
            } else if (place.thread == 0) {
                for (int t = 1; t < place.threads; ++t) {
                    own[0] = std::fmin(own[0], own[t]);
                    own[kThreadsPerBlock] = std::fmax(own[kThreadsPerBlock], own[kThreadsPerBlock + t]);
                }
                found[(2 * place.block) * cols + c] = own[0];
                found[(2 * place.block + 1) * cols + c] = own[kThreadsPerBlock];
            }
        }
    }
};

}  // namespace

std::int64_t index_scratch(std::int64_t n) { return IndexWorkspace(n).bytes(); }

template <class Real>
void build_index(const ops::Particles<Real>& particles, Span<unsigned char> scratch, const Queue& queue,
                 const ops::ParticleIndex<Real, std::int64_t>& out) {
    const std::int64_t n = particles.positions.rows;
    check_cells(out.cells);
    checked_product("weights", n, particles.weights.cols);
    const IndexWorkspace space(n);
    if (particles.positions.cols != 3 || scratch.size < space.bytes())
        throw ArrayError("index: positions must have three columns, and scratch " + std::to_string(space.bytes()) +
                         " bytes");
    const Sortable pairs = space.pairs(scratch.data);
    for_each_index(n, MakeKeys<Real>{out.cells, particles.positions, pairs.keys, pairs.values}, queue, "index");
    sort_by_key(pairs, bits_for(out.cells.count()), space.scratch(scratch.data), queue, "index");
    for_each_index(out.cells.count() + 1, FindStarts{pairs.keys, n, out.cell_start.data}, queue, "index");
    for_each_index(n, Gather<Real>{particles, out, pairs.values}, queue, "index");
}

template <class Real>
std::vector<double> bounds(const Table<const Real>& values, Span<double> scratch, const Queue& queue) {
    const std::int64_t cols = values.cols;
    std::vector<double> result(std::size_t(2 * cols), HUGE_VAL);
    std::fill_n(result.begin() + cols, cols, -HUGE_VAL);
    const std::int64_t n_blocks =
        std::min({bounds_blocks(values.rows), scratch.size / std::max<std::int64_t>(1, 2 * cols)});
    if (n_blocks < 1) return result;
    for_each_block(n_blocks, std::size_t(2 * cols * kThreadsPerBlock) * sizeof(double),
                   Bounds<Real>{values, scratch.data, n_blocks}, queue, "bounds");
    std::vector<double> found(std::size_t(2 * cols * n_blocks));
    download({reinterpret_cast<unsigned char*>(found.data()), std::int64_t(found.size() * sizeof(double))},
             reinterpret_cast<const unsigned char*>(scratch.data), queue);
    for (std::int64_t k = 0; k < n_blocks; ++k)
        for (std::int64_t c = 0; c < cols; ++c) {
            double &low = result[std::size_t(c)], &high = result[std::size_t(cols + c)];
            low = std::fmin(low, found[std::size_t(2 * k * cols + c)]);
            high = std::fmax(high, found[std::size_t((2 * k + 1) * cols + c)]);
        }
    return result;
}

#define CM_INSTANTIATE(Real)                                                                        \
    template void build_index<Real>(const ops::Particles<Real>&, Span<unsigned char>, const Queue&, \
                                    const ops::ParticleIndex<Real, std::int64_t>&);                 \
    template std::vector<double> bounds<Real>(const Table<const Real>&, Span<double>, const Queue&);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::cuda
