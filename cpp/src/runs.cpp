#include "runs.hpp"

#include "clustermass/ops/cell_walk.hpp"

namespace clustermass::ops {

std::vector<Run> find_runs(const CellGrid& cells, const std::int64_t* cell_start, const math::View& view,
                           const double (&half)[3]) {
    std::vector<Run> runs;
    std::int64_t n_candidates = 0;
    const auto add_run = [&](std::int64_t begin, std::int64_t end, const std::int64_t (&boxes)[3]) {
        Run run{begin, end, n_candidates, {}};
        shift_centre(cells, view.centre, boxes, run.centre);
        n_candidates += end - begin;
        runs.push_back(run);
    };
    walk_cells(cells, {view.centre, view.axes, half[0], half[1], -half[2], half[2]},
               [&](std::int64_t i, std::int64_t j, CellRange along) {
                   runs_of_line(cells, cell_start, i, j, along, add_run);
               });
    return runs;
}

}  // namespace clustermass::ops
