#include "arrays.hpp"
#include "clustermass/ops/project_gradient.hpp"

namespace clustermass::bindings {
namespace {

template <class Real>
bool project_gradient(const py::array& positions, const py::array& weights, const py::array& smoothing_length,
                      const py::array& gradient, py::array by_positions, py::array by_weights, int assignment,
                      int kernel, double origin_row, double origin_col, double per_pixel, int n_threads) {
    const auto images = stack<const Real>(gradient, "gradient");
    const auto p = table<const Real>(positions, "positions");
    const auto w = table<const Real>(weights, "weights", p.rows, images.items);
    const auto h = span<const Real>(smoothing_length, "smoothing_length");
    const ops::ParticleGradients<Real> out{table<Real>(by_positions, "by_positions"),
                                           table<Real>(by_weights, "by_weights")};
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    return ops::project_gradient<Real>(
        {p, w, h}, {ops::Assignment(assignment), math::SphKernel(kernel), origin_row, origin_col, per_pixel}, images,
        run, out);
}

}  // namespace

void bind_project_gradient(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* name, auto* fn) {
        m.def(name, fn, "positions"_a, "weights"_a, "smoothing_length"_a, "gradient"_a, "by_positions"_a,
              "by_weights"_a, py::kw_only(), "assignment"_a, "kernel"_a, "origin_row"_a, "origin_col"_a, "per_pixel"_a,
              "n_threads"_a);
    };
    def("project_gradient_f32", &project_gradient<float>);
    def("project_gradient_f64", &project_gradient<double>);
}

}  // namespace clustermass::bindings
