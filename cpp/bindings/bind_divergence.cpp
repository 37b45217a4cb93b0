#include "arrays.hpp"
#include "clustermass/ops/divergence.hpp"

namespace clustermass::bindings {
namespace {

template <class Real>
void divergence(const py::array& points, const py::array& offsets, const py::array& other_points,
                const py::array& other_offsets, const py::array& out, std::int64_t k, double alpha, bool is_one_batch,
                int n_threads) {
    const ops::PointSets<Real> rows{table<const Real>(points, "points"), span<const std::int64_t>(offsets, "offsets")};
    const ops::PointSets<Real> columns{table<const Real>(other_points, "other_points"),
                                       span<const std::int64_t>(other_offsets, "other_offsets")};
    if (rows.size() < 0 || columns.size() < 0) fail("offsets", "at least one entry", "none");
    const auto result = table<double>(out, "out", rows.size(), columns.size());
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    ops::divergences<Real>(rows, columns, {k, alpha, is_one_batch}, run, result);
}

}  // namespace

void bind_divergence(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* name, auto* function) {
        m.def(name, function, "points"_a, "offsets"_a, "other_points"_a, "other_offsets"_a, "out"_a, py::kw_only(),
              "k"_a, "alpha"_a, "is_one_batch"_a, "n_threads"_a);
    };
    def("divergence_f32", &divergence<float>);
    def("divergence_f64", &divergence<double>);
}

}  // namespace clustermass::bindings
