#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/macros.hpp"
#include "clustermass/ops/lightcone.hpp"

/// Where one galaxy goes in a galaxy index. Files that use this are compiled without contraction to fused multiply-add,
/// so that every backend stores the same bits.
namespace clustermass::ops {

/// The grid as numbers that loops keep in registers.
struct GalaxyCells {
    double origin[3], per_cell[3], box;
    std::int64_t n[3];
};

CM_HD GalaxyCells galaxy_cells(const CellGrid& cells, double box) {
    GalaxyCells g{};
    g.box = box;
    for (int a = 0; a < 3; ++a) {
        g.origin[a] = cells.origin[a];
        g.per_cell[a] = 1.0 / cells.size[a];
        g.n[a] = cells.n[a];
    }
    return g;
}

/// A coordinate as it is stored: wrapped into [0, box) where there is a box. `exact` turns false where the wrapped one
/// cannot be told in Real.
template <class Real>
CM_HD Real stored_position(Real given, double box, bool& exact) {
    const double x = double(given);
    if (!(box > 0) || (x >= 0 && x < box)) return given;
    const double moved = x - box * std::floor(x / box);
    const double inside = moved >= 0 && moved < box ? moved : 0.0;  // -1e-320 and values near the edge
    exact = exact && double(Real(inside)) == inside;
    return Real(inside);
}

/// Cell along an axis, and in `place` the number of cells from the origin.
CM_HD std::int32_t galaxy_cell(double x, const GalaxyCells& grid, int axis, double& place) {
    place = (x - grid.origin[axis]) * grid.per_cell[axis];
    const double last = double(grid.n[axis] - 1), low = place > 0 ? place : 0.0;
    return std::int32_t(low < last ? low : last);
}

/// Cell of a stored position; the last axis runs fastest.
template <class Real>
CM_HD std::int32_t flat_galaxy_cell(const Real* at, const GalaxyCells& grid) {
    double place;
    const std::int32_t i = galaxy_cell(double(at[0]), grid, 0, place), j = galaxy_cell(double(at[1]), grid, 1, place),
                       k = galaxy_cell(double(at[2]), grid, 2, place);
    return (i * std::int32_t(grid.n[1]) + j) * std::int32_t(grid.n[2]) + k;
}

/// Place within the cell, in steps.
CM_HD std::uint16_t coarse_step(double x, const GalaxyCells& grid, int axis) {
    double place;
    const std::int32_t cell = galaxy_cell(x, grid, axis, place);
    const double step = (place - double(cell)) * double(kCoarseSteps), last = double(kCoarseSteps - 1);
    const double low = step > 0 ? step : 0.0;
    return std::uint16_t(low < last ? low : last);
}

/// Square of a speed.
template <class Real>
CM_HD double speed_squared(const Real* v) {
    const double a = double(v[0]), b = double(v[1]), c = double(v[2]);
    return a * a + b * b + c * c;
}

}  // namespace clustermass::ops
