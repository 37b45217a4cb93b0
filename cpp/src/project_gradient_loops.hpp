#pragma once
#include "clustermass/ops/project_gradient.hpp"
#include "grid.hpp"

namespace clustermass::ops {

/// Hot loops of `project_gradient`, one table per instruction set. Each does particles [begin, end), reading the
/// gradient by the image from a grid whose apron is zero, and returns whether all values of the particles are valid.
struct ProjectGradientLoops {
    bool (*f32)(const Particles<float>&, const ProjectParams&, std::int64_t begin, std::int64_t end, const DepositGrid&,
                const ParticleGradients<float>&);
    bool (*f64)(const Particles<double>&, const ProjectParams&, std::int64_t begin, std::int64_t end,
                const DepositGrid&, const ParticleGradients<double>&);
};

namespace baseline {
extern const ProjectGradientLoops kProjectGradientLoops;
}
namespace avx2 {
extern const ProjectGradientLoops kProjectGradientLoops;
}
namespace avx512 {
extern const ProjectGradientLoops kProjectGradientLoops;
}

}  // namespace clustermass::ops
