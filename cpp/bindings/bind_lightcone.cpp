#include <pybind11/stl.h>

#include <array>
#include <vector>

#include "arrays.hpp"
#include "clustermass/ops/lightcone.hpp"

namespace clustermass::bindings {
namespace {

using Three = std::array<double, 3>;

py::array get(const py::dict& arrays, const char* name) { return py::array(arrays[name]); }

template <class Real, class Row, class Coarse, class Index>
ops::GalaxyIndex<Real, Row, Coarse, Index> galaxy_index(const py::dict& arrays,
                                                        const std::array<std::int64_t, 3>& n_cells, const Three& origin,
                                                        const Three& cell_size, double box) {
    ops::CellGrid g{};
    for (std::size_t a = 0; a < 3; ++a) {
        if (n_cells[a] < 1 || n_cells[a] > 1024) throw DomainError("`n_cells` must be 1 to 1024 along each axis");
        if (!(cell_size[a] > 0)) throw DomainError("`cell_size` must be positive");
        g.n[a] = n_cells[a];
        g.origin[a] = origin[a];
        g.size[a] = cell_size[a];
    }
    g.is_periodic = box > 0;
    const auto records = table<Real>(get(arrays, "records"), "records", kAnyLength, ops::kRecord);
    return {g,
            box,
            records,
            span<Row>(get(arrays, "rows"), "rows", records.rows),
            span<Index>(get(arrays, "hosts"), "hosts"),
            span<Coarse>(get(arrays, "coarse"), "coarse", 3 * records.rows + ops::kCoarsePadding),
            span<Index>(get(arrays, "cell_start"), "cell_start", g.count() + 1)};
}

template <class Real>
int build(const py::array& positions, const py::array& velocities, const py::array& hosts, const py::dict& out,
          const py::array& max_speed, const std::array<std::int64_t, 3>& n_cells, const Three& origin,
          const Three& cell_size, double box, int n_threads) {
    const auto p = table<const Real>(positions, "positions", kAnyLength, 3);
    const auto v = table<const Real>(velocities, "velocities", p.rows, 3);
    const auto h = span<const std::int64_t>(hosts, "hosts");
    const auto index =
        galaxy_index<Real, std::int32_t, std::uint16_t, std::int64_t>(out, n_cells, origin, cell_size, box);
    const auto speed = span<double>(max_speed, "max_speed", 1);
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    return static_cast<int>(ops::build_galaxy_index<Real>({p, v, h}, run, index, speed[0]));
}

/// Geometry of every query. Six numbers each beside centre and axes: aperture, near, far, distance, velocity, hubble.
std::vector<math::Sightline> read_sightlines(const py::array& centres, const py::array& rotations,
                                             const py::array& numbers) {
    const auto c = table<const double>(centres, "centres", kAnyLength, 3);
    const auto r = stack<const double>(rotations, "rotations", c.rows);
    const auto n = table<const double>(numbers, "numbers", c.rows, 6);
    if (r.rows != 3 || r.cols != 3) fail("rotations", "shape (n, 3, 3)", "another shape");
    std::vector<math::Sightline> all(static_cast<std::size_t>(c.rows));
    for (std::int64_t q = 0; q < c.rows; ++q) {
        math::Sightline& s = all[static_cast<std::size_t>(q)];
        for (int a = 0; a < 3; ++a) {
            s.centre[a] = c(q, a);
            for (int b = 0; b < 3; ++b) s.axes[a][b] = r.item(q)[3 * a + b];
        }
        s.aperture = n(q, 0);
        s.near = n(q, 1);
        s.far = n(q, 2);
        s.distance = n(q, 3);
        s.velocity = n(q, 4);
        s.hubble = n(q, 5);
    }
    return all;
}

template <class Real>
std::int64_t select(const py::dict& arrays, const py::dict& queries, const py::dict& out, std::int64_t first,
                    const std::array<std::int64_t, 3>& n_cells, const Three& origin, const Three& cell_size, double box,
                    double table_start, double table_per_step, double max_velocity, bool is_cone, bool is_relativistic,
                    int n_threads) {
    const auto index = galaxy_index<const Real, const std::int32_t, const std::uint16_t, const std::int64_t>(
        arrays, n_cells, origin, cell_size, box);
    const auto sightlines =
        read_sightlines(get(queries, "centres"), get(queries, "rotations"), get(queries, "numbers"));
    const auto coefficients = table<const double>(get(queries, "table"), "table", 4);
    const auto m = std::int64_t(sightlines.size());
    const ops::LightconeQueries all{{sightlines.data(), m},
                                    span<const std::int64_t>(get(queries, "targets"), "targets"),
                                    {coefficients.data, coefficients.cols, table_start, table_per_step},
                                    max_velocity,
                                    is_cone,
                                    is_relativistic};
    const auto indices = span<std::int64_t>(get(out, "indices"), "indices");
    const auto values = [&](const char* name) { return span<double>(get(out, name), name, indices.size); };
    const ops::LightconeOut result{span<std::int64_t>(get(out, "offsets"), "offsets", m + 1),
                                   indices,
                                   values("x"),
                                   values("y"),
                                   values("velocity"),
                                   values("distance"),
                                   span<bool>(get(out, "is_member"), "is_member", indices.size)};
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    return ops::select_lightcone<Real>(index, all, first, run, result);
}

}  // namespace

void bind_lightcone(py::module_& m) {
    using namespace py::literals;
    const auto def = [&m](const char* build_name, auto* build_fn, const char* select_name, auto* select_fn) {
        m.def(build_name, build_fn, "positions"_a, "velocities"_a, "hosts"_a, "out"_a, "max_speed"_a, py::kw_only(),
              "n_cells"_a, "origin"_a, "cell_size"_a, "box"_a, "n_threads"_a);
        m.def(select_name, select_fn, "arrays"_a, "queries"_a, "out"_a, py::kw_only(), "first"_a, "n_cells"_a,
              "origin"_a, "cell_size"_a, "box"_a, "table_start"_a, "table_per_step"_a, "max_velocity"_a, "is_cone"_a,
              "is_relativistic"_a, "n_threads"_a);
    };
    def("galaxy_index_f32", &build<float>, "lightcone_f32", &select<float>);
    def("galaxy_index_f64", &build<double>, "lightcone_f64", &select<double>);
}

}  // namespace clustermass::bindings
