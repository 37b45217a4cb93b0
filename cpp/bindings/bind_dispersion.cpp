#include "arrays.hpp"
#include "clustermass/ops/dispersion.hpp"

namespace clustermass::bindings {
namespace {

template <class Real>
bool dispersion(const py::array& velocity, const py::array& offsets, const py::array& error, const py::array& sigma,
                const py::array& location, const py::array& n_used, int method, double clip, std::int64_t iterations,
                int n_threads) {
    const auto velocities = span<const Real>(velocity, "velocity");
    const auto starts = span<const std::int64_t>(offsets, "offsets");
    const auto errors = span<const Real>(error, "error");
    if (method < 0 || method > 2) throw DomainError("`method` must be 0, 1 or 2");
    const ops::DispersionRule rule{ops::Dispersion(method), clip, iterations};
    const ops::DispersionResult out{span<double>(sigma, "sigma"), span<double>(location, "location"),
                                    span<std::int64_t>(n_used, "n_used")};
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    return ops::velocity_dispersions<Real>(velocities, starts, errors, rule, run, out);
}

template <class Real>
bool gapper(const py::array& radius, const py::array& velocity, const py::array& offsets, const py::array& keep,
            std::int64_t per_bin, std::int64_t min_members, double min_gap, int n_threads) {
    const auto radii = span<const Real>(radius, "radius");
    const auto velocities = span<const Real>(velocity, "velocity");
    const auto starts = span<const std::int64_t>(offsets, "offsets");
    const auto kept = span<std::uint8_t>(keep, "keep");
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    return ops::shifting_gapper<Real>(radii, velocities, starts, {per_bin, min_members, min_gap}, run, kept);
}

}  // namespace

void bind_dispersion(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* name, auto* fn) {
        m.def(name, fn, "velocity"_a, "offsets"_a, "error"_a, "sigma"_a, "location"_a, "n_used"_a, py::kw_only(),
              "method"_a, "clip"_a, "max_iterations"_a, "n_threads"_a);
    };
    def("dispersion_f32", &dispersion<float>);
    def("dispersion_f64", &dispersion<double>);
    const auto def_gapper = [&m](const char* name, auto* fn) {
        m.def(name, fn, "radius"_a, "velocity"_a, "offsets"_a, "keep"_a, py::kw_only(), "per_bin"_a, "min_members"_a,
              "min_gap"_a, "n_threads"_a);
    };
    def_gapper("shifting_gapper_f32", &gapper<float>);
    def_gapper("shifting_gapper_f64", &gapper<double>);
}

}  // namespace clustermass::bindings
