#include <pybind11/pybind11.h>

#include "address.hpp"
#include "clustermass_cuda/ops.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
namespace {

/// An address of 0 for a result means that it is not wanted.
template <class Real>
void project_gradient(std::uintptr_t positions, std::int64_t n, std::int64_t dims, std::uintptr_t weights,
                      std::int64_t channels, std::uintptr_t smoothing_length, std::uintptr_t gradient,
                      std::int64_t rows, std::int64_t cols, std::uintptr_t by_positions, std::uintptr_t by_weights,
                      int assignment, int kernel, double origin_row, double origin_col, double per_pixel, int device,
                      std::uintptr_t stream) {
    cuda::project_gradient<Real>(
        {{at<const Real>(positions), n, dims},
         {at<const Real>(weights), n, channels},
         {at<const Real>(smoothing_length), smoothing_length ? n : 0}},
        {ops::Assignment(assignment), math::SphKernel(kernel), origin_row, origin_col, per_pixel},
        {at<const Real>(gradient), channels, rows, cols}, {device, at<void>(stream)},
        {{at<Real>(by_positions), by_positions ? n : 0, dims}, {at<Real>(by_weights), by_weights ? n : 0, channels}});
}

}  // namespace

void bind_project_gradient(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* name, auto* fn) {
        m.def(name, fn, "positions"_a, "n"_a, "dims"_a, "weights"_a, "channels"_a, "smoothing_length"_a, "gradient"_a,
              "rows"_a, "cols"_a, "by_positions"_a, "by_weights"_a, py::kw_only(), "assignment"_a, "kernel"_a,
              "origin_row"_a, "origin_col"_a, "per_pixel"_a, "device"_a, "stream"_a,
              py::call_guard<py::gil_scoped_release>());
    };
    def("project_gradient_f32", &project_gradient<float>);
    def("project_gradient_f64", &project_gradient<double>);
}

}  // namespace clustermass::bindings
