#include "runs.hpp"

#include <algorithm>
#include <cmath>

namespace clustermass::ops {
namespace {

/// Cells along one axis that an interval touches. Not wrapped: a periodic axis goes on beyond the box.
struct CellRange {
    std::int64_t first, last;
};

CellRange cells_touched(const CellGrid& cells, int axis, double low, double high) {
    constexpr double kSlack = 1e-9;  // of a cell: rounding must not lose a particle at a face
    constexpr double kFar = 1e15;    // converting an out-of-range value is undefined
    const auto cell = [&](double x, double slack) {
        return std::int64_t(std::clamp(std::floor((x - cells.origin[axis]) / cells.size[axis] + slack), -kFar, kFar));
    };
    CellRange range{cell(low, -kSlack), cell(high, kSlack)};
    if (!cells.is_periodic) range = {std::max<std::int64_t>(range.first, 0), std::min(range.last, cells.n[axis] - 1)};
    return range;
}

/// A cell in the box, and how many boxes away the one asked for is.
struct Wrapped {
    std::int64_t cell, boxes;
};

Wrapped wrap(std::int64_t cell, std::int64_t n) {
    const std::int64_t inside = ((cell % n) + n) % n;
    return {inside, (cell - inside) / n};
}

/// Half width of the view's box, without its extent along the line of sight, seen along a box axis.
double thickness(const math::View& view, const double (&half)[3], int axis) {
    return half[0] * std::abs(view.axes[0][axis]) + half[1] * std::abs(view.axes[1][axis]);
}

class Finder {
public:
    Finder(const CellGrid& cells, const std::int64_t* cell_start, const math::View& view, const double (&half)[3])
        : cells_(cells), cell_start_(cell_start), view_(view), half_(half) {}

    /// Walk along the box axis closest to the line of sight; in each layer of cells only the part of the box that
    /// crosses it is looked at, so that the work grows with the length of the box and not with its bounding box.
    std::vector<Run> find() {
        const double* const sight = view_.axes[2];
        int main = 0;
        for (int a = 1; a < 3; ++a)
            if (std::abs(sight[a]) > std::abs(sight[main])) main = a;
        const double thick = thickness(view_, half_, main), extent = thick + half_[2] * std::abs(sight[main]);
        const auto layers = cells_touched(cells_, main, view_.centre[main] - extent, view_.centre[main] + extent);
        for (std::int64_t layer = layers.first; layer <= layers.last; ++layer) {
            const double low = cells_.origin[main] + double(layer) * cells_.size[main] - view_.centre[main];
            const double s0 = (low - thick) / sight[main], s1 = (low + cells_.size[main] + thick) / sight[main];
            const double from = std::max(std::min(s0, s1), -half_[2]), to = std::min(std::max(s0, s1), half_[2]);
            if (from > to) continue;
            CellRange range[3];
            for (int a = 0; a < 3; ++a) {
                const double t = thickness(view_, half_, a), p = from * sight[a], q = to * sight[a];
                range[a] = a == main ? CellRange{layer, layer}
                                     : cells_touched(cells_, a, view_.centre[a] + std::min(p, q) - t,
                                                     view_.centre[a] + std::max(p, q) + t);
            }
            for (std::int64_t i = range[0].first; i <= range[0].last; ++i)
                for (std::int64_t j = range[1].first; j <= range[1].last; ++j) add_line(i, j, range[2]);
        }
        return std::move(runs_);
    }

private:
    /// Cells along the last axis lie one after another in the index: one run until the box ends.
    void add_line(std::int64_t i, std::int64_t j, CellRange along) {
        const Wrapped x = wrap(i, cells_.n[0]), y = wrap(j, cells_.n[1]);
        const std::int64_t row = (x.cell * cells_.n[1] + y.cell) * cells_.n[2];
        for (std::int64_t k = along.first; k <= along.last;) {
            const Wrapped z = wrap(k, cells_.n[2]);
            const std::int64_t count = std::min(along.last - k + 1, cells_.n[2] - z.cell);
            const std::int64_t begin = cell_start_[row + z.cell], end = cell_start_[row + z.cell + count];
            k += count;
            if (begin == end) continue;
            Run run{begin, end, n_candidates_, {}};
            const std::int64_t boxes[3] = {x.boxes, y.boxes, z.boxes};
            for (int a = 0; a < 3; ++a)
                run.centre[a] = view_.centre[a] - double(boxes[a]) * (cells_.size[a] * double(cells_.n[a]));
            n_candidates_ += end - begin;
            runs_.push_back(run);
        }
    }

    const CellGrid& cells_;
    const std::int64_t* cell_start_;
    const math::View& view_;
    const double (&half_)[3];
    std::vector<Run> runs_;
    std::int64_t n_candidates_ = 0;
};

}  // namespace

std::vector<Run> find_runs(const CellGrid& cells, const std::int64_t* cell_start, const math::View& view,
                           const double (&half)[3]) {
    return Finder(cells, cell_start, view, half).find();
}

}  // namespace clustermass::ops
