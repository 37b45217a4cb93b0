#include <pybind11/pybind11.h>

#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
// One declaration per op; each lives in bind_<op>.cpp.
void bind_beam(py::module_& m);
void bind_noise(py::module_& m);
void bind_project(py::module_& m);
void bind_subsample(py::module_& m);
void bind_views(py::module_& m);
}  // namespace clustermass::bindings

namespace {

/// Exceptions of the kernels become the classes of clustermass.errors, which Python owns.
void register_errors() {
    py::register_exception_translator([](std::exception_ptr p) {
        const auto raise = [](const char* name, const std::exception& e) {
            const py::object type = py::module_::import("clustermass.errors").attr(name);
            PyErr_SetString(type.ptr(), e.what());
        };
        try {
            if (p) std::rethrow_exception(p);
        } catch (const clustermass::DomainError& e) {
            raise("DomainError", e);
        } catch (const clustermass::ArrayError& e) {
            raise("ArrayError", e);
        } catch (const clustermass::DeviceError& e) {
            raise("DeviceError", e);
        }
    });
}

}  // namespace

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    m.doc() = "Native kernels of clustermass. Arguments are checked for memory safety only: use clustermass.ops.";
    register_errors();
    m.def("instruction_set", [] { return clustermass::isa_name(clustermass::best_isa()); });
    clustermass::bindings::bind_beam(m);
    clustermass::bindings::bind_noise(m);
    clustermass::bindings::bind_project(m);
    clustermass::bindings::bind_subsample(m);
    clustermass::bindings::bind_views(m);
}
