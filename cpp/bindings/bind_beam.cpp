#include "arrays.hpp"
#include "clustermass/ops/beam.hpp"

namespace clustermass::bindings {
namespace {

template <class Real>
bool beam(const py::array& images, const py::array& taps, const py::array& reach, const py::array& out,
          std::int64_t margin, int n_threads) {
    const auto stack_in = stack<const Real>(images, "images");
    const auto tap_table = table<const Real>(taps, "taps");
    const auto reaches = span<const std::int64_t>(reach, "reach", tap_table.rows);
    const auto stack_out = stack<Real>(out, "out", stack_in.items);
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;
    return ops::convolve_beam<Real>(stack_in, tap_table, reaches, margin, run, stack_out);
}

}  // namespace

void bind_beam(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* name, auto* fn) {
        m.def(name, fn, "images"_a, "taps"_a, "reach"_a, "out"_a, py::kw_only(), "margin"_a, "n_threads"_a);
    };
    def("beam_f32", &beam<float>);
    def("beam_f64", &beam<double>);
}

}  // namespace clustermass::bindings
