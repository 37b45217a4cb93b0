#include <pybind11/pybind11.h>

#include "address.hpp"
#include "clustermass_cuda/ops.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
namespace {

template <class Real>
void project(std::uintptr_t positions, std::int64_t n, std::int64_t dims, std::uintptr_t weights, std::int64_t channels,
             std::uintptr_t smoothing_length, std::uintptr_t image, std::int64_t rows, std::int64_t cols,
             std::uintptr_t scratch, std::int64_t scratch_size, int assignment, int kernel, double origin_row,
             double origin_col, double per_pixel, int form, int device, std::uintptr_t stream) {
    cuda::project<Real>({{at<const Real>(positions), n, dims},
                         {at<const Real>(weights), n, channels},
                         {at<const Real>(smoothing_length), smoothing_length ? n : 0}},
                        {ops::Assignment(assignment), math::SphKernel(kernel), origin_row, origin_col, per_pixel}, form,
                        {device, at<void>(stream)}, {at<double>(scratch), scratch_size},
                        {at<Real>(image), channels, rows, cols});
}

}  // namespace

void bind_project(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* name, auto* fn) {
        m.def(name, fn, "positions"_a, "n"_a, "dims"_a, "weights"_a, "channels"_a, "smoothing_length"_a, "image"_a,
              "rows"_a, "cols"_a, "scratch"_a, "scratch_size"_a, py::kw_only(), "assignment"_a, "kernel"_a,
              "origin_row"_a, "origin_col"_a, "per_pixel"_a, "form"_a = -1, "device"_a, "stream"_a,
              py::call_guard<py::gil_scoped_release>());
    };
    def("project_f32", &project<float>);
    def("project_f64", &project<double>);
    m.def("project_scratch", &cuda::project_scratch, "n"_a, "channels"_a, "rows"_a, "cols"_a, py::kw_only(),
          "form"_a = -1, "device"_a);
}

}  // namespace clustermass::bindings
