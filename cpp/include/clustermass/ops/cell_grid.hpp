#pragma once
#include <cstdint>

#include "clustermass/core/macros.hpp"

namespace clustermass::ops {

/// Regular cells over the box, or over the particles where the box is not periodic.
struct CellGrid {
    std::int64_t n[3];
    double origin[3];  ///< lower corner  [Mpc]
    double size[3];    ///< of one cell   [Mpc]
    bool is_periodic;

    CM_HD std::int64_t count() const { return n[0] * n[1] * n[2]; }
};

}  // namespace clustermass::ops
