#include <pybind11/pybind11.h>

#include "clustermass/core/isa.hpp"
#include "errors.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
// One declaration per op; each lives in bind_<op>.cpp.
void bind_beam(py::module_& m);
void bind_dispersion(py::module_& m);
void bind_divergence(py::module_& m);
void bind_kde(py::module_& m);
void bind_lightcone(py::module_& m);
void bind_kde_gradient(py::module_& m);
void bind_noise(py::module_& m);
void bind_project(py::module_& m);
void bind_project_gradient(py::module_& m);
void bind_subsample(py::module_& m);
void bind_views(py::module_& m);
}  // namespace clustermass::bindings

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    m.doc() = "Native kernels of clustermass. Arguments are checked for memory safety only: use clustermass.ops.";
    clustermass::bindings::register_errors();
    m.def("instruction_set", [] { return clustermass::isa_name(clustermass::best_isa()); });
    clustermass::bindings::bind_beam(m);
    clustermass::bindings::bind_dispersion(m);
    clustermass::bindings::bind_divergence(m);
    clustermass::bindings::bind_kde(m);
    clustermass::bindings::bind_lightcone(m);
    clustermass::bindings::bind_kde_gradient(m);
    clustermass::bindings::bind_noise(m);
    clustermass::bindings::bind_project(m);
    clustermass::bindings::bind_project_gradient(m);
    clustermass::bindings::bind_subsample(m);
    clustermass::bindings::bind_views(m);
}
