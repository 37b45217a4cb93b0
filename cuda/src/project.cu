#include "clustermass/ops/project_body.hpp"
#include "clustermass/ops/project_check.hpp"
#include "clustermass_cuda/atomics.cuh"
#include "clustermass_cuda/launch.cuh"
#include "clustermass_cuda/ops.hpp"

namespace clustermass::cuda {

template <class Real>
void project(const ops::Particles<Real>& particles, const ops::ProjectParams& params, const Queue& queue,
             const Stack<double>& sums) {
    ops::check_project(particles, params, sums);
    const std::int64_t n = particles.positions.rows;
    checked_product("positions", n, particles.positions.cols);
    checked_product("weights", n, sums.items);
    checked_product("sums", sums.items, checked_product("sums", sums.rows, sums.cols));
    const ops::ProjectBody<Real, AtomicAdd> deposit(particles, params, sums.rows, sums.cols, {sums});
    for_each_index(n, deposit, queue, "project");
}

template void project<float>(const ops::Particles<float>&, const ops::ProjectParams&, const Queue&,
                             const Stack<double>&);
template void project<double>(const ops::Particles<double>&, const ops::ProjectParams&, const Queue&,
                              const Stack<double>&);

}  // namespace clustermass::cuda
