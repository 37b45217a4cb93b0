#include "clustermass/ops/project_check.hpp"
#include "clustermass/ops/project_gradient_body.hpp"
#include "clustermass_cuda/launch.cuh"
#include "clustermass_cuda/ops.hpp"

namespace clustermass::cuda {

template <class Real>
void project_gradient(const ops::Particles<Real>& particles, const ops::ProjectParams& params,
                      const Stack<const Real>& gradient, const Queue& queue, const ops::ParticleGradients<Real>& out) {
    ops::check_project(particles, params, gradient);
    const std::int64_t n = particles.positions.rows;
    checked_product("positions", n, particles.positions.cols);
    checked_product("weights", n, gradient.items);
    checked_product("gradient", gradient.items, checked_product("gradient", gradient.rows, gradient.cols));
    const ops::ProjectGradientBody<Real> gather(particles, params, gradient, out);
    for_each_index(n, gather, queue, "project_gradient");
}

template void project_gradient<float>(const ops::Particles<float>&, const ops::ProjectParams&,
                                      const Stack<const float>&, const Queue&, const ops::ParticleGradients<float>&);
template void project_gradient<double>(const ops::Particles<double>&, const ops::ProjectParams&,
                                       const Stack<const double>&, const Queue&, const ops::ParticleGradients<double>&);

}  // namespace clustermass::cuda
