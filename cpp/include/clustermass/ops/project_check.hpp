#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/error.hpp"
#include "clustermass/ops/project.hpp"

namespace clustermass::ops {

/// Parameters and shapes, checked alike for every device. Values are not looked at.
template <class Real, class Sum>
void check_project(const Particles<Real>& particles, const ProjectParams& params, const Stack<Sum>& image) {
    if (params.assignment < Assignment::ngp || params.assignment > Assignment::sph)
        throw DomainError("project: unknown assignment");
    if (params.kernel < math::SphKernel::cubic_spline || params.kernel > math::SphKernel::wendland_c2)
        throw DomainError("project: unknown kernel");
    if (!(params.per_pixel > 0 && std::isfinite(params.per_pixel)))
        throw DomainError("project: pixel size must be positive and finite");
    if (!std::isfinite(params.origin_row) || !std::isfinite(params.origin_col))
        throw DomainError("project: origin must be finite");
    if (image.rows < 1 || image.cols < 1 || image.items < 1)
        throw DomainError("project: the image needs at least one pixel and one channel");
    const auto n = particles.positions.rows;
    if (particles.positions.cols < 2 || particles.weights.rows != n || particles.weights.cols != image.items)
        throw ArrayError("project: positions, weights and image do not fit together");
    if (params.assignment == Assignment::sph ? particles.smoothing_length.size != n : particles.smoothing_length.size)
        throw ArrayError("project: a smoothing length per particle goes with sph, and only with it");
}

}  // namespace clustermass::ops
