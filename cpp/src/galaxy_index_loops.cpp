#include "clustermass/ops/galaxy_cells.hpp"
#include "lightcone_loops.hpp"
#include "valid.hpp"

namespace clustermass::ops {
namespace CM_ISA {
namespace {

constexpr int kBatch = 256;  ///< galaxies whose cells are found at a time

/// Stored positions of n galaxies. False where one cannot be told in Real.
template <class Real>
bool store_positions(const Real* positions, int n, double box, Real* stored) {
    if (!(box > 0)) {
        __builtin_memcpy(stored, positions, sizeof(Real) * 3 * std::size_t(n));
        return true;
    }
    bool exact = true;
    for (int i = 0; i < 3 * n; ++i) stored[i] = stored_position(positions[i], box, exact);
    return exact;
}

template <class Real>
IndexResult count(const GalaxyTable<Real>& in, const GalaxyIndexOut<Real>& out, std::int64_t begin, std::int64_t end,
                  int shift, std::int64_t* counts, double& max_speed_squared) {
    const GalaxyCells grid = galaxy_cells(out.cells, out.box);
    Real stored[3 * kBatch];
    std::int32_t cell[kBatch];
    double largest = 0;
    for (std::int64_t from = begin; from < end; from += kBatch) {
        const int n = int(end - from < kBatch ? end - from : kBatch);
        const Real *const x = in.positions.row(from), *const v = in.velocities.row(from);
        if (any_not_finite(x, 3 * n) || any_not_finite(v, 3 * n)) return IndexResult::not_finite;
        if (!store_positions(x, n, out.box, stored)) return IndexResult::not_representable;
        for (int i = 0; i < n; ++i) cell[i] = flat_galaxy_cell(stored + 3 * i, grid);
        for (int i = 0; i < n; ++i) {
            const double squared = speed_squared(v + 3 * i);
            largest = squared > largest ? squared : largest;
        }
        for (int i = 0; i < n; ++i) ++counts[cell[i] >> shift];
    }
    max_speed_squared = largest;
    return IndexResult::done;
}

template <class Real>
void distribute(const GalaxyTable<Real>& in, const GalaxyIndexOut<Real>& out, std::int64_t begin, std::int64_t end,
                int shift, std::int64_t* next) {
    const GalaxyCells grid = galaxy_cells(out.cells, out.box);
    Real stored[3 * kBatch];
    std::int32_t cell[kBatch];
    for (std::int64_t from = begin; from < end; from += kBatch) {
        const int n = int(end - from < kBatch ? end - from : kBatch);
        const Real* const v = in.velocities.row(from);
        store_positions(in.positions.row(from), n, out.box, stored);
        for (int i = 0; i < n; ++i) cell[i] = flat_galaxy_cell(stored + 3 * i, grid);
        for (int i = 0; i < n; ++i) {
            const std::int64_t to = next[cell[i] >> shift]++;
            Real* const record = out.records.row(to);
            for (int a = 0; a < 3; ++a) record[a] = stored[3 * i + a];
            for (int a = 0; a < 3; ++a) record[3 + a] = v[3 * i + a];
            out.rows[to] = std::int32_t(from + i);
        }
    }
}

template <class Real>
void sort(const GalaxyTable<Real>& in, const GalaxyIndexOut<Real>& out, std::int64_t begin, std::int64_t end,
          std::int64_t first, std::int64_t last, Real* records, std::int32_t* rows, std::int32_t* cells,
          std::int64_t* next) {
    const GalaxyCells grid = galaxy_cells(out.cells, out.box);
    const std::int64_t n = end - begin;
    for (std::int64_t c = 0; c < last - first; ++c) next[c] = 0;
    for (std::int64_t i = 0; i < n; ++i)
        cells[i] = flat_galaxy_cell(out.records.row(begin + i), grid) - std::int32_t(first);
    for (std::int64_t i = 0; i < n; ++i) ++next[cells[i]];
    std::int64_t total = begin;
    for (std::int64_t c = 0; c < last - first; ++c) {
        const std::int64_t here = next[c];
        out.cell_start[first + c] = total;
        next[c] = total - begin;
        total += here;
    }
    for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t to = next[cells[i]]++;
        __builtin_memcpy(records + kRecord * to, out.records.row(begin + i), sizeof(Real) * kRecord);
        rows[to] = out.rows[begin + i];
    }
    __builtin_memcpy(out.records.row(begin), records, sizeof(Real) * std::size_t(kRecord * n));
    __builtin_memcpy(out.rows.data + begin, rows, sizeof(std::int32_t) * std::size_t(n));
    for (std::int64_t c = 0; c < last - first; ++c) {
        const std::int64_t from = c == 0 ? 0 : next[c - 1], size = next[c] - from;
        std::uint16_t* const coarse = out.coarse.data + 3 * (begin + from);
        for (int a = 0; a < 3; ++a)
            for (std::int64_t i = 0; i < size; ++i)
                coarse[a * size + i] = coarse_step(double(records[kRecord * (from + i) + a]), grid, a);
    }
    if (in.hosts.size)
        for (std::int64_t i = 0; i < n; ++i) out.hosts[begin + i] = in.hosts[rows[i]];
}

}  // namespace

const GalaxyIndexLoops kGalaxyIndexLoops{{&count<float>, &distribute<float>, &sort<float>},
                                         {&count<double>, &distribute<double>, &sort<double>}};

}  // namespace CM_ISA
}  // namespace clustermass::ops
