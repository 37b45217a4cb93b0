#pragma once
#include "clustermass/ops/project.hpp"
#include "grid.hpp"

namespace clustermass::ops {

/// Hot loops of `project`, one table per instruction set. Each adds particles [begin, end) to the grid and returns
/// whether all their values are valid.
struct ProjectLoops {
    bool (*f32)(const Particles<float>&, const ProjectParams&, std::int64_t begin, std::int64_t end,
                const DepositGrid&);
    bool (*f64)(const Particles<double>&, const ProjectParams&, std::int64_t begin, std::int64_t end,
                const DepositGrid&);
};

namespace baseline {
extern const ProjectLoops kProjectLoops;
}
namespace avx2 {
extern const ProjectLoops kProjectLoops;
}
namespace avx512 {
extern const ProjectLoops kProjectLoops;
}

}  // namespace clustermass::ops
