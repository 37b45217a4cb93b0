#include "runs.hpp"

#include <algorithm>

#include "cell_walk.hpp"

namespace clustermass::ops {

std::vector<Run> find_runs(const CellGrid& cells, const std::int64_t* cell_start, const math::View& view,
                           const double (&half)[3]) {
    std::vector<Run> runs;
    std::int64_t n_candidates = 0;
    /// Cells along the last axis lie one after another in the index: one run until the box ends.
    const auto add_line = [&](std::int64_t i, std::int64_t j, CellRange along) {
        const WrappedCell x = wrap_cell(i, cells.n[0]), y = wrap_cell(j, cells.n[1]);
        const std::int64_t row = (x.cell * cells.n[1] + y.cell) * cells.n[2];
        for (std::int64_t k = along.first; k <= along.last;) {
            const WrappedCell z = wrap_cell(k, cells.n[2]);
            const std::int64_t count = std::min(along.last - k + 1, cells.n[2] - z.cell);
            const std::int64_t begin = cell_start[row + z.cell], end = cell_start[row + z.cell + count];
            k += count;
            if (begin == end) continue;
            Run run{begin, end, n_candidates, {}};
            const std::int64_t boxes[3] = {x.boxes, y.boxes, z.boxes};
            for (int a = 0; a < 3; ++a)
                run.centre[a] = view.centre[a] - double(boxes[a]) * (cells.size[a] * double(cells.n[a]));
            n_candidates += end - begin;
            runs.push_back(run);
        }
    };
    walk_cells(cells, {view.centre, view.axes, half[0], half[1], -half[2], half[2]}, add_line);
    return runs;
}

}  // namespace clustermass::ops
