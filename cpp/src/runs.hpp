#pragma once
#include <vector>

#include "views_loops.hpp"

namespace clustermass::ops {

/// Stretches of the index that hold every particle which can lie in the box of half widths `half` (row axis, column
/// axis, line of sight, in Mpc) around the view's centre, periodic images included, each particle and image once.
std::vector<Run> find_runs(const CellGrid& cells, const std::int64_t* cell_start, const math::View& view,
                           const double (&half)[3]);

}  // namespace clustermass::ops
