#include <pybind11/pybind11.h>

#include "address.hpp"
#include "clustermass_cuda/ops.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
namespace {

template <class Real>
void beam(std::uintptr_t images, std::int64_t items, std::int64_t rows, std::int64_t cols, std::uintptr_t taps,
          std::int64_t channels, std::int64_t n_taps, std::uintptr_t reach, std::uintptr_t scratch,
          std::int64_t scratch_size, std::uintptr_t out, std::int64_t margin, int device, std::uintptr_t stream) {
    cuda::convolve_beam<Real>({at<const Real>(images), items, rows, cols}, {at<const Real>(taps), channels, n_taps},
                              at<const std::int64_t>(reach), margin, {device, at<void>(stream)},
                              {at<Real>(scratch), scratch_size}, at<Real>(out));
}

template <class Real>
void pad(std::uintptr_t images, std::int64_t items, std::int64_t rows, std::int64_t cols, std::uintptr_t out,
         std::int64_t margin, int device, std::uintptr_t stream) {
    cuda::pad<Real>({at<const Real>(images), items, rows, cols}, margin, {device, at<void>(stream)}, at<Real>(out));
}

template <class Real>
void define(py::module_& m, const char* convolve_name, const char* pad_name) {
    using namespace py::literals;
    m.def(convolve_name, &beam<Real>, "images"_a, "items"_a, "rows"_a, "cols"_a, "taps"_a, "channels"_a, "n_taps"_a,
          "reach"_a, "scratch"_a, "scratch_size"_a, "out"_a, py::kw_only(), "margin"_a, "device"_a, "stream"_a,
          py::call_guard<py::gil_scoped_release>());
    m.def(pad_name, &pad<Real>, "images"_a, "items"_a, "rows"_a, "cols"_a, "out"_a, py::kw_only(), "margin"_a,
          "device"_a, "stream"_a, py::call_guard<py::gil_scoped_release>());
}

}  // namespace

void bind_beam(py::module_& m) {
    define<float>(m, "beam_f32", "beam_pad_f32");
    define<double>(m, "beam_f64", "beam_pad_f64");
}

}  // namespace clustermass::bindings
