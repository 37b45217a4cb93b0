#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>

#include "address.hpp"
#include "clustermass_cuda/ops.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
namespace {

using Three = std::array<double, 3>;

/// Addresses of records, rows, hosts, coarse and cell_start; hosts may be 0.
using Held = std::array<std::uintptr_t, 5>;

/// Addresses of the sightlines (18 numbers each), the targets (or 0) and the table of velocities.
using Queries = std::array<std::uintptr_t, 3>;

/// Addresses of indices, x, y, velocity, distance and is_member.
using Seen = std::array<std::uintptr_t, 6>;

template <class Real, class Row, class Coarse, class Index>
ops::GalaxyIndex<Real, Row, Coarse, Index> galaxy_index(const Held& held, std::int64_t n,
                                                        const std::array<std::int64_t, 3>& n_cells, const Three& origin,
                                                        const Three& size, double box) {
    const ops::CellGrid cells{
        {n_cells[0], n_cells[1], n_cells[2]}, {origin[0], origin[1], origin[2]}, {size[0], size[1], size[2]}, box > 0};
    return {cells,
            box,
            {at<Real>(held[0]), n, ops::kRecord},
            {at<Row>(held[1]), n},
            {at<Index>(held[2]), held[2] ? n : 0},
            {at<Coarse>(held[3]), 3 * n + ops::kCoarsePadding},
            {at<Index>(held[4]), cells.count() + 1}};
}

template <class Real>
std::pair<int, double> build(std::uintptr_t positions, std::uintptr_t velocities, std::uintptr_t hosts, std::int64_t n,
                             const Held& out, std::uintptr_t scratch, std::int64_t scratch_size,
                             const std::array<std::int64_t, 3>& n_cells, const Three& origin, const Three& cell_size,
                             double box, int device, std::uintptr_t stream) {
    const cuda::GalaxySurvey seen = cuda::build_galaxy_index<Real>(
        {{at<const Real>(positions), n, 3},
         {at<const Real>(velocities), n, 3},
         {at<const std::int64_t>(hosts), hosts ? n : 0}},
        {at<unsigned char>(scratch), scratch_size}, {device, at<void>(stream)},
        galaxy_index<Real, std::int32_t, std::uint16_t, std::int64_t>(out, n, n_cells, origin, cell_size, box));
    return {static_cast<int>(seen.result), seen.max_speed};
}

ops::LightconeQueries read_queries(const Queries& held, std::int64_t n, std::int64_t table_size, double table_start,
                                   double table_per_step, double max_velocity, bool is_cone, bool is_relativistic) {
    return {{at<const math::Sightline>(held[0]), n},
            {at<const std::int64_t>(held[1]), held[1] ? n : 0},
            {at<const double>(held[2]), table_size, table_start, table_per_step},
            max_velocity,
            is_cone,
            is_relativistic};
}

template <class Real>
std::int64_t count(const Held& held, std::int64_t n, const Queries& queries, std::int64_t n_queries,
                   std::int64_t table_size, std::uintptr_t scratch, std::int64_t scratch_size, std::uintptr_t offsets,
                   const std::array<std::int64_t, 3>& n_cells, const Three& origin, const Three& cell_size, double box,
                   double table_start, double table_per_step, double max_velocity, bool is_cone, bool is_relativistic,
                   int device, std::uintptr_t stream) {
    return cuda::count_lightcone<Real>(
        galaxy_index<const Real, const std::int32_t, const std::uint16_t, const std::int64_t>(held, n, n_cells, origin,
                                                                                              cell_size, box),
        read_queries(queries, n_queries, table_size, table_start, table_per_step, max_velocity, is_cone,
                     is_relativistic),
        {at<std::int64_t>(scratch), scratch_size}, {device, at<void>(stream)},
        {at<std::int64_t>(offsets), n_queries + 1});
}

template <class Real>
void fill(const Held& held, std::int64_t n, const Queries& queries, std::int64_t n_queries, std::int64_t table_size,
          std::uintptr_t scratch, std::int64_t scratch_size, const Seen& out, std::int64_t n_seen,
          const std::array<std::int64_t, 3>& n_cells, const Three& origin, const Three& cell_size, double box,
          double table_start, double table_per_step, double max_velocity, bool is_cone, bool is_relativistic,
          int device, std::uintptr_t stream) {
    cuda::fill_lightcone<Real>(galaxy_index<const Real, const std::int32_t, const std::uint16_t, const std::int64_t>(
                                   held, n, n_cells, origin, cell_size, box),
                               read_queries(queries, n_queries, table_size, table_start, table_per_step, max_velocity,
                                            is_cone, is_relativistic),
                               {at<std::int64_t>(scratch), scratch_size}, {device, at<void>(stream)},
                               {{},
                                {at<std::int64_t>(out[0]), n_seen},
                                {at<double>(out[1]), n_seen},
                                {at<double>(out[2]), n_seen},
                                {at<double>(out[3]), n_seen},
                                {at<double>(out[4]), n_seen},
                                {at<bool>(out[5]), n_seen}});
}

}  // namespace

void bind_lightcone(py::module_& m) {
    using namespace py::literals;
    using Released = py::call_guard<py::gil_scoped_release>;
    const auto def = [&m](const char* build_name, auto* build_fn, const char* count_name, auto* count_fn,
                          const char* fill_name, auto* fill_fn) {
        m.def(build_name, build_fn, "positions"_a, "velocities"_a, "hosts"_a, "n"_a, "out"_a, "scratch"_a,
              "scratch_size"_a, py::kw_only(), "n_cells"_a, "origin"_a, "cell_size"_a, "box"_a, "device"_a, "stream"_a,
              Released());
        m.def(count_name, count_fn, "index"_a, "n"_a, "queries"_a, "n_queries"_a, "table_size"_a, "scratch"_a,
              "scratch_size"_a, "offsets"_a, py::kw_only(), "n_cells"_a, "origin"_a, "cell_size"_a, "box"_a,
              "table_start"_a, "table_per_step"_a, "max_velocity"_a, "is_cone"_a, "is_relativistic"_a, "device"_a,
              "stream"_a, Released());
        m.def(fill_name, fill_fn, "index"_a, "n"_a, "queries"_a, "n_queries"_a, "table_size"_a, "scratch"_a,
              "scratch_size"_a, "out"_a, "n_seen"_a, py::kw_only(), "n_cells"_a, "origin"_a, "cell_size"_a, "box"_a,
              "table_start"_a, "table_per_step"_a, "max_velocity"_a, "is_cone"_a, "is_relativistic"_a, "device"_a,
              "stream"_a, Released());
    };
    def("galaxy_index_f32", &build<float>, "lightcone_count_f32", &count<float>, "lightcone_fill_f32", &fill<float>);
    def("galaxy_index_f64", &build<double>, "lightcone_count_f64", &count<double>, "lightcone_fill_f64", &fill<double>);
    m.def("lightcone_scratch", &cuda::lightcone_scratch, "n_queries"_a);
}

}  // namespace clustermass::bindings
