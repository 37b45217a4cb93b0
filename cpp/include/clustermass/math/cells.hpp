#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/macros.hpp"

/// Cells of a regular grid along one axis. Files that use this for an index are compiled without contraction to fused
/// multiply-add, so that every backend puts a particle into the same cell.
namespace clustermass::math {

/// A coordinate as an index stores it: wrapped into [0, box) where the box is periodic, also after rounding to Real.
template <class Real>
CM_HD Real stored_coordinate(Real x, double box, bool is_periodic) {
    if (!is_periodic) return x;
    const Real wrapped = Real(double(x) - box * std::floor(double(x) / box));
    return wrapped >= 0 && double(wrapped) < box ? wrapped : Real(0);  // -1e-320 stays negative
}

/// The cell that holds x; the first or last one for what lies outside, the first for NaN.
CM_HD std::int64_t cell_of(double x, double origin, double size, std::int64_t n) {
    const double cell = (x - origin) / size;
    if (!(cell > 0)) return 0;
    return cell < double(n) ? std::int64_t(cell) : n - 1;
}

}  // namespace clustermass::math
