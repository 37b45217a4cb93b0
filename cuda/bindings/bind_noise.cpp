#include <pybind11/pybind11.h>

#include "address.hpp"
#include "clustermass_cuda/ops.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
namespace {

template <class Real>
void noise(std::uintptr_t images, std::uintptr_t out, std::int64_t n_items, std::int64_t channels, std::int64_t pixels,
           std::uintptr_t sigma, std::uintptr_t items, std::uint64_t seed, int device, std::uintptr_t stream) {
    cuda::add_noise<Real>(at<const Real>(images), at<const double>(sigma), at<const std::int64_t>(items), seed,
                          {device, at<void>(stream)}, {at<Real>(out), n_items, channels, pixels});
}

}  // namespace

void bind_noise(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* name, auto* fn) {
        m.def(name, fn, "images"_a, "out"_a, "n_items"_a, "channels"_a, "pixels"_a, "sigma"_a, "items"_a, py::kw_only(),
              "seed"_a, "device"_a, "stream"_a, py::call_guard<py::gil_scoped_release>());
    };
    def("noise_f32", &noise<float>);
    def("noise_f64", &noise<double>);
}

}  // namespace clustermass::bindings
