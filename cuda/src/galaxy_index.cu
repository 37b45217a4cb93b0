#include <algorithm>
#include <cmath>
#include <vector>

#include "clustermass/ops/galaxy_cells.hpp"
#include "clustermass_cuda/ops.hpp"
#include "clustermass_cuda/sorted_cells.cuh"

/// Compiled without contraction to fused multiply-add: a galaxy goes into the same cell on every backend.
namespace clustermass::cuda {
namespace {

constexpr std::int64_t kSurveyed = 3;  ///< numbers of a survey: largest speed squared, two flags

template <class Real>
struct Stored {
    Real x[3];
    bool exact;
};

template <class Real>
CM_HD Stored<Real> stored(const ops::GalaxyTable<Real>& in, double box, std::int64_t i) {
    Stored<Real> s{{}, true};
    for (int a = 0; a < 3; ++a) s.x[a] = ops::stored_position(in.positions(i, a), box, s.exact);
    return s;
}

/// Largest speed squared, and whether a value is not finite or a position cannot be told, for the rows of each block.
template <class Real>
struct Survey {
    ops::GalaxyTable<Real> in;
    double box;
    double* found;  ///< [block][kSurveyed]
    std::int64_t n_blocks;

    __device__ std::int64_t phases(std::int64_t) const { return 2; }
    __device__ void operator()(std::int64_t phase, const Place& place, double* shared) const {
        if (phase == 0) {
            double largest = 0, not_finite = 0, not_exact = 0;
            for (std::int64_t i = place.block * place.threads + place.thread; i < in.positions.rows;
                 i += n_blocks * place.threads) {
                const double squared = ops::speed_squared(in.velocities.row(i));
                largest = squared > largest ? squared : largest;
                for (int a = 0; a < 3; ++a) {
                    const Real x = in.positions(i, a), v = in.velocities(i, a);
                    if (!(x - x == 0) || !(v - v == 0)) not_finite = 1;
                }
                if (!stored(in, box, i).exact) not_exact = 1;
            }
            double* const own = shared + kSurveyed * place.thread;
            own[0] = largest;
            own[1] = not_finite;
            own[2] = not_exact;
        } else if (place.thread < kSurveyed) {
            double most = 0;
            for (int t = 0; t < place.threads; ++t) most = std::fmax(most, shared[kSurveyed * t + place.thread]);
            found[kSurveyed * place.block + place.thread] = most;
        }
    }
};

template <class Real>
struct MakeKeys {
    ops::GalaxyTable<Real> in;
    ops::GalaxyCells grid;
    std::uint32_t* keys;
    std::int64_t* values;
    __device__ void operator()(std::int64_t i) const {
        keys[i] = std::uint32_t(ops::flat_galaxy_cell(stored(in, grid.box, i).x, grid));
        values[i] = i;
    }
};

template <class Real>
struct Gather {
    ops::GalaxyTable<Real> in;
    ops::GalaxyIndexOut<Real> out;
    ops::GalaxyCells grid;
    const std::uint32_t* keys;
    const std::int64_t* order;
    __device__ void operator()(std::int64_t to) const {
        const std::int64_t from = order[to], begin = out.cell_start[keys[to]],
                           size = out.cell_start[keys[to] + 1] - begin;
        const Stored<Real> s = stored(in, grid.box, from);
        for (int a = 0; a < 3; ++a) {
            out.records(to, a) = s.x[a];
            out.records(to, 3 + a) = in.velocities(from, a);
            out.coarse[3 * begin + a * size + (to - begin)] = ops::coarse_step(double(s.x[a]), grid, a);
        }
        out.rows[to] = std::int32_t(from);
        if (in.hosts.size) out.hosts[to] = in.hosts[from];
    }
};

template <class Real>
GalaxySurvey survey(const ops::GalaxyTable<Real>& galaxies, double box, Span<double> scratch, const Queue& queue) {
    const std::int64_t n = galaxies.positions.rows;
    const std::int64_t n_blocks = std::min(bounds_blocks(n), scratch.size / kSurveyed);
    double most[kSurveyed] = {};
    if (n > 0) {
        for_each_block(n_blocks, std::size_t(kSurveyed) * kThreadsPerBlock * sizeof(double),
                       Survey<Real>{galaxies, box, scratch.data, n_blocks}, queue, "galaxy_index");
        std::vector<double> found(std::size_t(kSurveyed * n_blocks));
        download({reinterpret_cast<unsigned char*>(found.data()), std::int64_t(found.size() * sizeof(double))},
                 reinterpret_cast<const unsigned char*>(scratch.data), queue);
        for (std::size_t i = 0; i < found.size(); ++i) most[i % kSurveyed] = std::fmax(most[i % kSurveyed], found[i]);
    }
    const auto result = most[1] > 0   ? ops::IndexResult::not_finite
                        : most[2] > 0 ? ops::IndexResult::not_representable
                                      : ops::IndexResult::done;
    return {result, std::sqrt(most[0])};
}

}  // namespace

template <class Real>
GalaxySurvey build_galaxy_index(const ops::GalaxyTable<Real>& galaxies, Span<unsigned char> scratch, const Queue& queue,
                                const ops::GalaxyIndexOut<Real>& out) {
    const std::int64_t n = galaxies.positions.rows;
    check_cells(out.cells);
    if (n < 0 || n > INT32_MAX) throw DomainError("index: holds at most 2^31 - 1 galaxies");
    const IndexWorkspace space(n);
    if (scratch.size < space.bytes())
        throw ArrayError("index: scratch must hold " + std::to_string(space.bytes()) + " bytes");
    auto* const numbers = reinterpret_cast<double*>(scratch.data);
    const GalaxySurvey seen = survey(galaxies, out.box, {numbers, space.bytes() / 8}, queue);
    if (seen.result != ops::IndexResult::done) return seen;
    const Sortable pairs = space.pairs(scratch.data);
    const ops::GalaxyCells grid = ops::galaxy_cells(out.cells, out.box);
    for_each_index(n, MakeKeys<Real>{galaxies, grid, pairs.keys, pairs.values}, queue, "galaxy_index");
    sort_by_key(pairs, bits_for(out.cells.count()), space.scratch(scratch.data), queue, "galaxy_index");
    for_each_index(out.cells.count() + 1, FindStarts{pairs.keys, n, out.cell_start.data}, queue, "galaxy_index");
    for_each_index(n, Gather<Real>{galaxies, out, grid, pairs.keys, pairs.values}, queue, "galaxy_index");
    clear(out.coarse.data + 3 * n, ops::kCoarsePadding, queue, "galaxy_index");
    return seen;
}

template GalaxySurvey build_galaxy_index<float>(const ops::GalaxyTable<float>&, Span<unsigned char>, const Queue&,
                                                const ops::GalaxyIndexOut<float>&);
template GalaxySurvey build_galaxy_index<double>(const ops::GalaxyTable<double>&, Span<unsigned char>, const Queue&,
                                                 const ops::GalaxyIndexOut<double>&);

}  // namespace clustermass::cuda
