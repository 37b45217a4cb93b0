#include "arrays.hpp"
#include "clustermass/ops/kde_gradient.hpp"

namespace clustermass::bindings {
namespace {

template <class Real>
bool kde_gradient(const py::array& points, const py::array& offsets, const py::array& weights, const py::array& axes,
                  const py::array& kernel, const py::array& gradient, py::array by_points, py::array by_weights,
                  int bandwidth, double factor, int normalise, int n_threads) {
    const auto point_table = table<const Real>(points, "points");
    const auto offset_span = span<const std::int64_t>(offsets, "offsets");
    const auto weight_span = span<const Real>(weights, "weights");
    const auto axis_table = table<const double>(axes, "axes");
    if (bandwidth < 0 || bandwidth > 2) throw DomainError("`bandwidth` must be 0, 1 or 2");
    if (normalise < 0 || normalise > 2) throw DomainError("`normalise` must be 0, 1 or 2");
    const ops::KdeRule rule{math::Bandwidth(bandwidth), factor, span<const double>(kernel, "kernel"),
                            ops::KdeNormalise(normalise)};
    const auto grids = table<const Real>(gradient, "gradient");
    const auto point_out = table<Real>(by_points, "by_points");
    const auto weight_out = span<Real>(by_weights, "by_weights");
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    return ops::differentiate_density<Real>(point_table, offset_span, weight_span, axis_table, rule, grids, run,
                                            point_out, weight_out);
}

}  // namespace

void bind_kde_gradient(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* name, auto* fn) {
        m.def(name, fn, "points"_a, "offsets"_a, "weights"_a, "axes"_a, "kernel"_a, "gradient"_a, "by_points"_a,
              "by_weights"_a, py::kw_only(), "bandwidth"_a, "factor"_a, "normalise"_a, "n_threads"_a);
    };
    def("kde_gradient_f32", &kde_gradient<float>);
    def("kde_gradient_f64", &kde_gradient<double>);
}

}  // namespace clustermass::bindings
