#pragma once
#include <cstdint>

#include "clustermass/core/parallel.hpp"
#include "clustermass/core/span.hpp"
#include "clustermass/math/assignment.hpp"
#include "clustermass/math/sph_kernel.hpp"

namespace clustermass::ops {

enum class Assignment : int { ngp, cic, tsc, sph };

struct ProjectParams {
    Assignment assignment;
    math::SphKernel kernel;
    double origin_row, origin_col;  ///< corner of pixel (0, 0)     [Mpc]
    double per_pixel;               ///< 1 / pixel size             [1/Mpc], > 0
};

/// Particles as the caller holds them.
template <class Real>
struct Particles {
    Table<const Real> positions;        ///< (n, 2) or (n, 3); the first two are row and column axis  [Mpc]
    Table<const Real> weights;          ///< (n, channels)
    Span<const Real> smoothing_length;  ///< (n) support radius [Mpc]; empty unless the assignment is sph
};

/// Write the projection of the particles to `out` (channel, row, column) (CPU). Sums are float64; the bits do not
/// depend on the number of threads. Returns false where a position or weight is NaN or infinite or a smoothing
/// length is not finite and >= 0: then the image means nothing and the caller, who can name the value, raises.
template <class Real>
bool project(const Particles<Real>& particles, const ProjectParams& params, const Parallel& run,
             const Stack<Real>& out);

}  // namespace clustermass::ops
