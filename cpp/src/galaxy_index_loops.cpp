#include "lightcone_loops.hpp"

#include "valid.hpp"

namespace clustermass::ops {
namespace CM_ISA {
namespace {

constexpr int kBatch = 256;  ///< galaxies whose cells are found at a time

/// The grid as numbers that loops keep in registers.
struct Grid {
    double origin[3], per_cell[3], box;
    std::int64_t n[3];

    explicit Grid(const CellGrid& cells, double side) : box(side) {
        for (int a = 0; a < 3; ++a) {
            origin[a] = cells.origin[a];
            per_cell[a] = 1.0 / cells.size[a];
            n[a] = cells.n[a];
        }
    }
};

/// Position wrapped into [0, box).
CM_HD double wrapped(double x, double box) {
    const double inside = x - box * __builtin_floor(x / box);
    return inside >= 0 && inside < box ? inside : 0.0;  // -1e-320 and values near the edge
}

/// Cell along an axis, and in `place` the number of cells from the origin.
CM_HD std::int32_t cell_of(double x, const Grid& grid, int axis, double& place) {
    place = (x - grid.origin[axis]) * grid.per_cell[axis];
    const double last = double(grid.n[axis] - 1), low = place > 0 ? place : 0.0;
    return std::int32_t(low < last ? low : last);
}

template <class Real>
CM_HD std::int32_t flat_cell(const Real* at, const Grid& grid) {
    double place;
    const std::int32_t i = cell_of(double(at[0]), grid, 0, place), j = cell_of(double(at[1]), grid, 1, place),
                       k = cell_of(double(at[2]), grid, 2, place);
    return (i * std::int32_t(grid.n[1]) + j) * std::int32_t(grid.n[2]) + k;
}

/// Stored positions of n galaxies. False where one cannot be told in Real.
template <class Real>
bool store_positions(const Real* positions, int n, double box, Real* stored) {
    if (!(box > 0)) {
        __builtin_memcpy(stored, positions, sizeof(Real) * 3 * std::size_t(n));
        return true;
    }
    bool exact = true;
    for (int i = 0; i < 3 * n; ++i) {
        const double x = double(positions[i]);
        if (x >= 0 && x < box) {
            stored[i] = positions[i];
            continue;
        }
        const double inside = wrapped(x, box);
        stored[i] = Real(inside);
        exact = exact && double(stored[i]) == inside;
    }
    return exact;
}

template <class Real>
IndexResult count(const GalaxyTable<Real>& in, const GalaxyIndexOut<Real>& out, std::int64_t begin, std::int64_t end,
                  int shift, std::int64_t* counts, double& max_speed_squared) {
    const Grid grid(out.cells, out.box);
    Real stored[3 * kBatch];
    std::int32_t cell[kBatch];
    double largest = 0;
    for (std::int64_t from = begin; from < end; from += kBatch) {
        const int n = int(end - from < kBatch ? end - from : kBatch);
        const Real *const x = in.positions.row(from), *const v = in.velocities.row(from);
        if (any_not_finite(x, 3 * n) || any_not_finite(v, 3 * n)) return IndexResult::not_finite;
        if (!store_positions(x, n, out.box, stored)) return IndexResult::not_representable;
        for (int i = 0; i < n; ++i) cell[i] = flat_cell(stored + 3 * i, grid);
        for (int i = 0; i < n; ++i) {
            const double a = double(v[3 * i]), b = double(v[3 * i + 1]), c = double(v[3 * i + 2]);
            const double squared = a * a + b * b + c * c;
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
    const Grid grid(out.cells, out.box);
    Real stored[3 * kBatch];
    std::int32_t cell[kBatch];
    for (std::int64_t from = begin; from < end; from += kBatch) {
        const int n = int(end - from < kBatch ? end - from : kBatch);
        const Real* const v = in.velocities.row(from);
        store_positions(in.positions.row(from), n, out.box, stored);
        for (int i = 0; i < n; ++i) cell[i] = flat_cell(stored + 3 * i, grid);
        for (int i = 0; i < n; ++i) {
            const std::int64_t to = next[cell[i] >> shift]++;
            Real* const record = out.records.row(to);
            for (int a = 0; a < 3; ++a) record[a] = stored[3 * i + a];
            for (int a = 0; a < 3; ++a) record[3 + a] = v[3 * i + a];
            out.rows[to] = std::int32_t(from + i);
        }
    }
}

/// Place within the cell, in steps.
CM_HD std::uint16_t coarse_step(double x, const Grid& grid, int axis) {
    double place;
    const std::int32_t cell = cell_of(x, grid, axis, place);
    const double step = (place - double(cell)) * double(kCoarseSteps), last = double(kCoarseSteps - 1);
    const double low = step > 0 ? step : 0.0;
    return std::uint16_t(low < last ? low : last);
}

template <class Real>
void sort(const GalaxyTable<Real>& in, const GalaxyIndexOut<Real>& out, std::int64_t begin, std::int64_t end,
          std::int64_t first, std::int64_t last, Real* records, std::int32_t* rows, std::int32_t* cells,
          std::int64_t* next) {
    const Grid grid(out.cells, out.box);
    const std::int64_t n = end - begin;
    for (std::int64_t c = 0; c < last - first; ++c) next[c] = 0;
    for (std::int64_t i = 0; i < n; ++i) cells[i] = flat_cell(out.records.row(begin + i), grid) - std::int32_t(first);
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
