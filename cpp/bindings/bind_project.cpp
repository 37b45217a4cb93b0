#include "arrays.hpp"
#include "clustermass/ops/project.hpp"

namespace clustermass::bindings {
namespace {

template <class Real>
bool project(const py::array& positions, const py::array& weights, const py::array& smoothing_length, py::array out,
             int assignment, int kernel, double origin_row, double origin_col, double per_pixel, int n_threads) {
    const auto images = stack<Real>(out, "out");
    const auto p = table<const Real>(positions, "positions");
    const auto w = table<const Real>(weights, "weights", p.rows, images.items);
    const auto h = span<const Real>(smoothing_length, "smoothing_length");
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    return ops::project<Real>({p, w, h},
                              {ops::Assignment(assignment), math::SphKernel(kernel), origin_row, origin_col, per_pixel},
                              run, images);
}

}  // namespace

void bind_project(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* name, auto* fn) {
        m.def(name, fn, "positions"_a, "weights"_a, "smoothing_length"_a, "out"_a, py::kw_only(), "assignment"_a,
              "kernel"_a, "origin_row"_a, "origin_col"_a, "per_pixel"_a, "n_threads"_a);
    };
    def("project_f32", &project<float>);
    def("project_f64", &project<double>);
}

}  // namespace clustermass::bindings
