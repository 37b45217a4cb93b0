#include <pybind11/pybind11.h>

#include "clustermass_cuda/ops.hpp"
#include "errors.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
// One declaration per op; each lives in bind_<op>.cpp.
void bind_beam(py::module_& m);
void bind_kde(py::module_& m);
void bind_kde_gradient(py::module_& m);
void bind_lightcone(py::module_& m);
void bind_memory(py::module_& m);
void bind_noise(py::module_& m);
void bind_project(py::module_& m);
void bind_project_gradient(py::module_& m);
void bind_subsample(py::module_& m);
void bind_views(py::module_& m);

namespace {

py::dict device_dict(const cuda::Device& device) {
    using namespace py::literals;
    return py::dict("reason"_a = device.reason, "name"_a = device.name,
                    "compute_capability"_a = py::make_tuple(device.major, device.minor),
                    "multiprocessors"_a = device.multiprocessors, "memory_total"_a = device.memory_total,
                    "memory_free"_a = device.memory_free);
}

py::dict query_devices() {
    using namespace py::literals;
    const cuda::Status status = [] {
        const py::gil_scoped_release nogil;  // opening a context takes a while
        return cuda::query_devices();
    }();
    py::list devices;
    for (const cuda::Device& device : status.devices) devices.append(device_dict(device));
    return py::dict("reason"_a = status.reason, "driver_version"_a = status.driver_version,
                    "runtime_version"_a = status.runtime_version, "devices"_a = devices);
}

}  // namespace
}  // namespace clustermass::bindings

// The tests build the same bindings over host memory, under another name.
#ifndef CM_CUDA_MODULE
#define CM_CUDA_MODULE _cuda
#endif
PYBIND11_MODULE(CM_CUDA_MODULE, m, py::mod_gil_not_used()) {
    m.doc() = "CUDA kernels of clustermass. Arrays are device addresses which the caller has checked.";
    clustermass::bindings::register_errors();
    clustermass::bindings::bind_beam(m);
    clustermass::bindings::bind_kde(m);
    clustermass::bindings::bind_kde_gradient(m);
    clustermass::bindings::bind_lightcone(m);
    clustermass::bindings::bind_memory(m);
    clustermass::bindings::bind_noise(m);
    clustermass::bindings::bind_project(m);
    clustermass::bindings::bind_project_gradient(m);
    clustermass::bindings::bind_subsample(m);
    clustermass::bindings::bind_views(m);
    m.def("query_devices", &clustermass::bindings::query_devices);
}
