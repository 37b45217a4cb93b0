#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/macros.hpp"
#include "clustermass/ops/cell_grid.hpp"

/// Which cells of a grid a long box, turned against it, touches.
namespace clustermass::ops {

/// Cells along one axis that an interval touches. Not wrapped: a periodic axis goes on beyond the box.
struct CellRange {
    std::int64_t first, last;
};

/// Plain comparisons: the library's are calls on the host, and those of algorithms do not exist on a device.
CM_HD double smaller(double a, double b) { return b < a ? b : a; }
CM_HD double larger(double a, double b) { return a < b ? b : a; }

/// Largest integer that is not above x. The library's floor is a call where the instruction set has none.
CM_HD std::int64_t floor_to_integer(double x) {
    constexpr double kFar = 1e15;                                // converting an out-of-range value is undefined
    const double inside = x > -kFar ? smaller(x, kFar) : -kFar;  // also for NaN
    const auto toward_zero = std::int64_t(inside);
    return toward_zero - std::int64_t(double(toward_zero) > inside);
}

CM_HD CellRange cells_touched(const CellGrid& cells, const double (&per_cell)[3], int axis, double low, double high) {
    constexpr double kSlack = 1e-9;  // of a cell: rounding must not lose a particle at a face
    CellRange range{floor_to_integer((low - cells.origin[axis]) * per_cell[axis] - kSlack),
                    floor_to_integer((high - cells.origin[axis]) * per_cell[axis] + kSlack)};
    if (!cells.is_periodic) {
        if (range.first < 0) range.first = 0;
        if (range.last > cells.n[axis] - 1) range.last = cells.n[axis] - 1;
    }
    return range;
}

/// A cell in the box, and how many boxes away the one asked for is.
struct WrappedCell {
    std::int64_t cell, boxes;
};

CM_HD WrappedCell wrap_cell(std::int64_t cell, std::int64_t n) {
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
    CM_HD double thickness(int axis) const {
        return half_row * std::fabs(axes[0][axis]) + half_col * std::fabs(axes[1][axis]);
    }
};

/// Part `part` of `parts` equal parts of a walk: what one of several threads goes.
struct WalkPart {
    std::int64_t part, parts;
};

/// Call line(i, j, range of k) for lines of cells, not wrapped, that hold every cell which the box touches, each once.
/// Walks along the grid axis closest to the line of sight; in each layer of cells only the part of the box that crosses
/// it is looked at, so that the work grows with the length of the box and not with its bounding box. The parts of a
/// walk follow one another in the order of the whole.
template <class Line>
CM_HD void walk_cells(const CellGrid& cells, const LongBox& box, const Line& line, WalkPart share = {0, 1}) {
    const double* const sight = box.axes[2];
    int main = 0;
    for (int a = 1; a < 3; ++a)
        if (std::fabs(sight[a]) > std::fabs(sight[main])) main = a;
    double per_cell[3], thick[3];
    for (int a = 0; a < 3; ++a) {
        per_cell[a] = 1.0 / cells.size[a];
        thick[a] = box.thickness(a);
    }
    const auto touched = [&](int a, double from, double to) {
        const double p = from * sight[a], q = to * sight[a];
        return cells_touched(cells, per_cell, a, box.centre[a] + smaller(p, q) - thick[a],
                             box.centre[a] + larger(p, q) + thick[a]);
    };
    const double per_sight = 1.0 / sight[main];
    CellRange layers = touched(main, box.near, box.far);
    const std::int64_t first = layers.first, n_layers = layers.last - layers.first + 1;
    layers = {first + n_layers * share.part / share.parts, first + n_layers * (share.part + 1) / share.parts - 1};
    CellRange range[3];
    for (std::int64_t layer = layers.first; layer <= layers.last; ++layer) {
        const double low = cells.origin[main] + double(layer) * cells.size[main] - box.centre[main];
        const double s0 = (low - thick[main]) * per_sight, s1 = (low + cells.size[main] + thick[main]) * per_sight;
        const double from = larger(smaller(s0, s1), box.near), to = smaller(larger(s0, s1), box.far);
        if (from > to) continue;
        for (int a = 0; a < 3; ++a) range[a] = a == main ? CellRange{layer, layer} : touched(a, from, to);
        for (std::int64_t i = range[0].first; i <= range[0].last; ++i)
            for (std::int64_t j = range[1].first; j <= range[1].last; ++j) line(i, j, range[2]);
    }
}

/// Call run(begin, end, boxes) for the stretches of an index that a line of cells is made of: cells along the last axis
/// lie one after another, until the box ends. `boxes`: how many boxes away they are.
template <class Visit>
CM_HD void runs_of_line(const CellGrid& cells, const std::int64_t* cell_start, std::int64_t i, std::int64_t j,
                        CellRange along, const Visit& run) {
    const WrappedCell x = wrap_cell(i, cells.n[0]), y = wrap_cell(j, cells.n[1]);
    const std::int64_t row = (x.cell * cells.n[1] + y.cell) * cells.n[2];
    for (std::int64_t k = along.first; k <= along.last;) {
        const WrappedCell z = wrap_cell(k, cells.n[2]);
        const std::int64_t wanted = along.last - k + 1, left = cells.n[2] - z.cell,
                           count = wanted < left ? wanted : left;
        const std::int64_t begin = cell_start[row + z.cell], end = cell_start[row + z.cell + count];
        k += count;
        const std::int64_t boxes[3] = {x.boxes, y.boxes, z.boxes};
        if (begin < end) run(begin, end, boxes);
    }
}

/// A centre as it is seen from particles that many boxes away.
CM_HD void shift_centre(const CellGrid& cells, const double (&centre)[3], const std::int64_t (&boxes)[3],
                        double (&shifted)[3]) {
    for (int a = 0; a < 3; ++a) shifted[a] = centre[a] - double(boxes[a]) * (cells.size[a] * double(cells.n[a]));
}

}  // namespace clustermass::ops
