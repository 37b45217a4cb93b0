#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "clustermass/ops/cell_grid.hpp"

/// Which cells of a grid a long box, turned against it, touches.
namespace clustermass::ops {

/// Cells along one axis that an interval touches. Not wrapped: a periodic axis goes on beyond the box.
struct CellRange {
    std::int64_t first, last;
};

/// Largest integer that is not above x. The library's floor is a call where the instruction set has none.
inline std::int64_t floor_to_integer(double x) {
    constexpr double kFar = 1e15;  // converting an out-of-range value is undefined
    const double inside = std::clamp(x, -kFar, kFar);
    const auto toward_zero = std::int64_t(inside);
    return toward_zero - std::int64_t(double(toward_zero) > inside);
}

inline CellRange cells_touched(const CellGrid& cells, const double (&per_cell)[3], int axis, double low, double high) {
    constexpr double kSlack = 1e-9;  // of a cell: rounding must not lose a particle at a face
    CellRange range{floor_to_integer((low - cells.origin[axis]) * per_cell[axis] - kSlack),
                    floor_to_integer((high - cells.origin[axis]) * per_cell[axis] + kSlack)};
    if (!cells.is_periodic) range = {std::max<std::int64_t>(range.first, 0), std::min(range.last, cells.n[axis] - 1)};
    return range;
}

/// A cell in the box, and how many boxes away the one asked for is.
struct WrappedCell {
    std::int64_t cell, boxes;
};

inline WrappedCell wrap_cell(std::int64_t cell, std::int64_t n) {
    if (cell >= 0 && cell < n) return {cell, 0};  // most are: spares two divisions
    const std::int64_t inside = ((cell % n) + n) % n;
    return {inside, (cell - inside) / n};
}

/// Box around a centre: half widths along its first two axes, a range of depths along the third, the line of sight.
struct LongBox {
    const double (&centre)[3];
    const double (&axes)[3][3];
    double half_row, half_col, near, far;  ///< [Mpc]

    /// Half width, without the extent along the line of sight, seen along a box axis.
    double thickness(int axis) const { return half_row * std::abs(axes[0][axis]) + half_col * std::abs(axes[1][axis]); }
};

/// Call line(i, j, range of k) for lines of cells, not wrapped, that hold every cell which the box touches, each once.
/// Walks along the grid axis closest to the line of sight; in each layer of cells only the part of the box that crosses
/// it is looked at, so that the work grows with the length of the box and not with its bounding box.
template <class Line>
void walk_cells(const CellGrid& cells, const LongBox& box, const Line& line) {
    const double* const sight = box.axes[2];
    int main = 0;
    for (int a = 1; a < 3; ++a)
        if (std::abs(sight[a]) > std::abs(sight[main])) main = a;
    double per_cell[3], thick[3];
    for (int a = 0; a < 3; ++a) {
        per_cell[a] = 1.0 / cells.size[a];
        thick[a] = box.thickness(a);
    }
    const auto touched = [&](int a, double from, double to) {
        const double p = from * sight[a], q = to * sight[a];
        return cells_touched(cells, per_cell, a, box.centre[a] + std::min(p, q) - thick[a],
                             box.centre[a] + std::max(p, q) + thick[a]);
    };
    const double per_sight = 1.0 / sight[main];
    const CellRange layers = touched(main, box.near, box.far);
    CellRange range[3];
    for (std::int64_t layer = layers.first; layer <= layers.last; ++layer) {
        const double low = cells.origin[main] + double(layer) * cells.size[main] - box.centre[main];
        const double s0 = (low - thick[main]) * per_sight, s1 = (low + cells.size[main] + thick[main]) * per_sight;
        const double from = std::max(std::min(s0, s1), box.near), to = std::min(std::max(s0, s1), box.far);
        if (from > to) continue;
        for (int a = 0; a < 3; ++a) range[a] = a == main ? CellRange{layer, layer} : touched(a, from, to);
        for (std::int64_t i = range[0].first; i <= range[0].last; ++i)
            for (std::int64_t j = range[1].first; j <= range[1].last; ++j) line(i, j, range[2]);
    }
}

}  // namespace clustermass::ops
