#include "arrays.hpp"
#include "clustermass/ops/noise.hpp"

namespace clustermass::bindings {
namespace {

template <class Real>
void noise(const py::array& images, const py::array& sigma, const py::array& items, std::uint64_t seed, int n_threads) {
    const auto stack_of_images = stack<Real>(images, "images");
    const auto sigmas = span<const double>(sigma, "sigma", stack_of_images.rows);
    const auto keys = span<const std::int64_t>(items, "items", stack_of_images.items);
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    ops::add_noise<Real>(stack_of_images, sigmas, keys, seed, run);
}

}  // namespace

void bind_noise(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* name, auto* fn) {
        m.def(name, fn, "images"_a, "sigma"_a, "items"_a, py::kw_only(), "seed"_a, "n_threads"_a);
    };
    def("noise_f32", &noise<float>);
    def("noise_f64", &noise<double>);
}

}  // namespace clustermass::bindings
