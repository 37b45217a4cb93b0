#include <pybind11/stl.h>

#include "address.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass_cuda/ops.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
namespace {

template <class Real>
void kde_gradient(std::uintptr_t points, std::int64_t n, std::int64_t dims, std::uintptr_t offsets,
                  std::uintptr_t weights, const std::vector<double>& axes, std::uintptr_t kernel,
                  std::int64_t kernel_size, std::uintptr_t gradient, std::int64_t clusters, std::int64_t cells,
                  std::uintptr_t scratch, std::int64_t scratch_size, std::uintptr_t by_points,
                  std::uintptr_t by_weights, int bandwidth, double factor, int normalise, int device,
                  std::uintptr_t stream) {
    if (std::int64_t(axes.size()) != 3 * dims) throw ArrayError("kde_gradient: needs three numbers per axis");
    cuda::differentiate_density<Real>(
        {at<const Real>(points), n, dims}, at<const std::int64_t>(offsets), at<const Real>(weights), axes.data(),
        {math::Bandwidth(bandwidth), factor, {at<const double>(kernel), kernel_size}, ops::KdeNormalise(normalise)},
        {at<const Real>(gradient), clusters, cells}, {device, at<void>(stream)}, {at<double>(scratch), scratch_size},
        at<Real>(by_points), at<Real>(by_weights));
}

}  // namespace

void bind_kde_gradient(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* name, auto* fn) {
        m.def(name, fn, "points"_a, "n"_a, "dims"_a, "offsets"_a, "weights"_a, "axes"_a, "kernel"_a, "kernel_size"_a,
              "gradient"_a, "clusters"_a, "cells"_a, "scratch"_a, "scratch_size"_a, "by_points"_a, "by_weights"_a,
              py::kw_only(), "bandwidth"_a, "factor"_a, "normalise"_a, "device"_a, "stream"_a,
              py::call_guard<py::gil_scoped_release>());
    };
    def("kde_gradient_f32", &kde_gradient<float>);
    def("kde_gradient_f64", &kde_gradient<double>);
}

}  // namespace clustermass::bindings
