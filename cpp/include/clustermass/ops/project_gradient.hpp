#pragma once
#include "clustermass/ops/project.hpp"

namespace clustermass::ops {

/// Where the gradient of a scalar goes, for each particle. A table of no rows is not wanted.
template <class Real>
struct ParticleGradients {
    Table<Real> positions;  ///< (n, dims) by position [1/Mpc]; columns after the second are 0
    Table<Real> weights;    ///< (n, channels)
};

/// Pull the gradient of a scalar by the image (channel, row, column) back to the particles that `project` made the
/// image of (CPU): of sum(gradient * image) by the weights and, the assignment being what it is, by the positions. Each
/// particle is on its own, so the bits do not depend on the number of threads. Returns false as `project` does.
/// `gradient` may hold anything: NaN goes to the particles whose shares meet it.
template <class Real>
bool project_gradient(const Particles<Real>& particles, const ProjectParams& params, const Stack<const Real>& gradient,
                      const Parallel& run, const ParticleGradients<Real>& out);

}  // namespace clustermass::ops
