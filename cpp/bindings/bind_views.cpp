#include <pybind11/stl.h>

#include <array>
#include <vector>

#include "arrays.hpp"
#include "clustermass/ops/views.hpp"

namespace clustermass::bindings {
namespace {

using Three = std::array<double, 3>;

ops::CellGrid cell_grid(const std::array<std::int64_t, 3>& n, const Three& origin, const Three& size, bool periodic) {
    ops::CellGrid g{};
    for (std::size_t a = 0; a < 3; ++a) {
        if (n[a] < 1 || n[a] > 4096) throw DomainError("`n_cells` must be 1 to 4096 along each axis");
        g.n[a] = n[a];
        g.origin[a] = origin[a];
        g.size[a] = size[a];
    }
    g.is_periodic = periodic;
    return g;
}

template <class Real, class Index>
ops::ParticleIndex<Real, Index> particle_index(const py::dict& arrays, const ops::CellGrid& cells) {
    const auto get = [&](const char* name) { return py::array(arrays[name]); };
    const auto x = span<Real>(get("x"), "x");
    const auto start = span<Index>(get("cell_start"), "cell_start", cells.count() + 1);
    return {cells,
            x,
            span<Real>(get("y"), "y", x.size),
            span<Real>(get("z"), "z", x.size),
            table<Real>(get("weights"), "weights", x.size),
            span<Real>(get("smoothing_length"), "smoothing_length"),
            start};
}

template <class Real>
bool build(const py::array& positions, const py::array& weights, const py::array& smoothing_length, const py::dict& out,
           const std::array<std::int64_t, 3>& n_cells, const Three& origin, const Three& cell_size, bool is_periodic,
           int n_threads) {
    const auto p = table<const Real>(positions, "positions", kAnyLength, 3);
    const auto w = table<const Real>(weights, "weights", p.rows);
    const auto h = span<const Real>(smoothing_length, "smoothing_length");
    const auto index = particle_index<Real, std::int64_t>(out, cell_grid(n_cells, origin, cell_size, is_periodic));
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    return ops::build_index<Real>({p, w, h}, run, index);
}

/// Geometry of every view: centre, rotation and pixels per Mpc.
std::vector<math::View> read_views(const py::array& centres, const py::array& rotations, const py::array& per_pixel) {
    const auto c = table<const double>(centres, "centres", kAnyLength, 3);
    const auto r = stack<const double>(rotations, "rotations", c.rows);
    const auto s = span<const double>(per_pixel, "per_pixel", c.rows);
    if (r.rows != 3 || r.cols != 3) fail("rotations", "shape (n, 3, 3)", "another shape");
    std::vector<math::View> views(static_cast<std::size_t>(c.rows));
    for (std::int64_t v = 0; v < c.rows; ++v) {
        math::View& view = views[static_cast<std::size_t>(v)];
        for (int a = 0; a < 3; ++a) {
            view.centre[a] = c(v, a);
            for (int b = 0; b < 3; ++b) view.axes[a][b] = r.item(v)[3 * a + b];
        }
        if (!(s[v] > 0)) throw DomainError("`per_pixel` must be positive");
        view.per_pixel = s[v];
    }
    return views;
}

template <class Real>
void project(const py::dict& arrays, const std::array<std::int64_t, 3>& n_cells, const Three& origin,
             const Three& cell_size, bool is_periodic, const py::array& centres, const py::array& rotations,
             const py::array& per_pixel, py::array out, int assignment, int kernel, double half_depth,
             double max_support, bool add, int n_threads) {
    const auto cells = cell_grid(n_cells, origin, cell_size, is_periodic);
    const auto index = particle_index<const Real, const std::int64_t>(arrays, cells);
    const auto views = read_views(centres, rotations, per_pixel);
    if (out.ndim() != 4) fail("out", "4 dimensions", std::to_string(out.ndim()));
    check_length(out, "out", 0, std::int64_t(views.size()));
    check_length(out, "out", 1, index.weights.cols);
    const bool is_double = py::isinstance<py::array_t<double>>(out);
    is_double ? check<double>(out, "out", 4) : check<Real>(out, "out", 4);
    void* const images = const_cast<void*>(out.data());
    const std::int64_t rows = out.shape(2), cols = out.shape(3);
    const Span<const math::View> all{views.data(), std::int64_t(views.size())};
    const ops::ViewsParams params{ops::Assignment(assignment), math::SphKernel(kernel), half_depth, max_support, add};
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    if (is_double)
        ops::project_views<Real, double>(index, all, params, rows, cols, run, static_cast<double*>(images));
    else
        ops::project_views<Real, Real>(index, all, params, rows, cols, run, static_cast<Real*>(images));
}

}  // namespace

void bind_views(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* build_name, auto* build_fn, const char* views_name, auto* views_fn) {
        m.def(build_name, build_fn, "positions"_a, "weights"_a, "smoothing_length"_a, "out"_a, py::kw_only(),
              "n_cells"_a, "origin"_a, "cell_size"_a, "is_periodic"_a, "n_threads"_a);
        m.def(views_name, views_fn, "arrays"_a, py::kw_only(), "n_cells"_a, "origin"_a, "cell_size"_a, "is_periodic"_a,
              "centres"_a, "rotations"_a, "per_pixel"_a, "out"_a, "assignment"_a, "kernel"_a, "half_depth"_a,
              "max_support"_a, "add"_a, "n_threads"_a);
    };
    def("index_f32", &build<float>, "views_f32", &project<float>);
    def("index_f64", &build<double>, "views_f64", &project<double>);
}

}  // namespace clustermass::bindings
