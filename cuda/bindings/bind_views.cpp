#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>

#include "address.hpp"
#include "clustermass_cuda/ops.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
namespace {

using Three = std::array<double, 3>;

ops::CellGrid cell_grid(const std::array<std::int64_t, 3>& n, const Three& origin, const Three& size, bool periodic) {
    return {{n[0], n[1], n[2]}, {origin[0], origin[1], origin[2]}, {size[0], size[1], size[2]}, periodic};
}

/// Addresses of x, y, z, weights, smoothing_length and cell_start.
using Held = std::array<std::uintptr_t, 6>;

template <class Real, class Index>
ops::ParticleIndex<Real, Index> particle_index(const Held& held, std::int64_t n, std::int64_t channels,
                                               const ops::CellGrid& cells) {
    return {cells,
            {at<Real>(held[0]), n},
            {at<Real>(held[1]), n},
            {at<Real>(held[2]), n},
            {at<Real>(held[3]), n, channels},
            {at<Real>(held[4]), held[4] ? n : 0},
            {at<Index>(held[5]), cells.count() + 1}};
}

template <class Real>
void build(std::uintptr_t positions, std::uintptr_t weights, std::uintptr_t smoothing_length, std::int64_t n,
           std::int64_t channels, const Held& out, std::uintptr_t scratch, std::int64_t scratch_size,
           const std::array<std::int64_t, 3>& n_cells, const Three& origin, const Three& cell_size, bool is_periodic,
           int device, std::uintptr_t stream) {
    cuda::build_index<Real>(
        {{at<const Real>(positions), n, 3},
         {at<const Real>(weights), n, channels},
         {at<const Real>(smoothing_length), smoothing_length ? n : 0}},
        {at<unsigned char>(scratch), scratch_size}, {device, at<void>(stream)},
        particle_index<Real, std::int64_t>(out, n, channels, cell_grid(n_cells, origin, cell_size, is_periodic)));
}

template <class Real, class Out>
void project(const Held& held, std::int64_t n, std::int64_t channels, std::uintptr_t centres, std::uintptr_t rotations,
             std::uintptr_t pixel_sizes, std::int64_t n_views, std::int64_t n_sizes, std::uintptr_t images,
             std::int64_t rows, std::int64_t cols, std::uintptr_t scratch, std::int64_t scratch_size,
             const std::array<std::int64_t, 3>& n_cells, const Three& origin, const Three& cell_size, bool is_periodic,
             int assignment, int kernel, double half_depth, double max_support, bool add, int device,
             std::uintptr_t stream) {
    const auto index = particle_index<const Real, const std::int64_t>(
        held, n, channels, cell_grid(n_cells, origin, cell_size, is_periodic));
    cuda::project_views<Real, Out>(
        index,
        {at<const double>(centres), at<const double>(rotations), at<const double>(pixel_sizes), n_views, n_sizes},
        {ops::Assignment(assignment), math::SphKernel(kernel), half_depth, max_support, add}, rows, cols,
        {device, at<void>(stream)}, {at<double>(scratch), scratch_size}, at<Out>(images));
}

template <class Real>
std::vector<double> bounds(std::uintptr_t values, std::int64_t rows, std::int64_t cols, std::uintptr_t scratch,
                           std::int64_t scratch_size, int device, std::uintptr_t stream) {
    return cuda::bounds<Real>({at<const Real>(values), rows, cols}, {at<double>(scratch), scratch_size},
                              {device, at<void>(stream)});
}

}  // namespace

void bind_views(py::module_& m) {
    using namespace py::literals;
    const auto def_index = [&m](const char* name, auto* fn) {
        m.def(name, fn, "positions"_a, "weights"_a, "smoothing_length"_a, "n"_a, "channels"_a, "out"_a, "scratch"_a,
              "scratch_size"_a, py::kw_only(), "n_cells"_a, "origin"_a, "cell_size"_a, "is_periodic"_a, "device"_a,
              "stream"_a, py::call_guard<py::gil_scoped_release>());
    };
    const auto def_views = [&m](const char* name, auto* fn) {
        m.def(name, fn, "index"_a, "n"_a, "channels"_a, "centres"_a, "rotations"_a, "pixel_sizes"_a, "n_views"_a,
              "n_sizes"_a, "images"_a, "rows"_a, "cols"_a, "scratch"_a, "scratch_size"_a, py::kw_only(), "n_cells"_a,
              "origin"_a, "cell_size"_a, "is_periodic"_a, "assignment"_a, "kernel"_a, "half_depth"_a, "max_support"_a,
              "add"_a, "device"_a, "stream"_a, py::call_guard<py::gil_scoped_release>());
    };
    const auto def_bounds = [&m](const char* name, auto* fn) {
        m.def(name, fn, "values"_a, "rows"_a, "cols"_a, "scratch"_a, "scratch_size"_a, py::kw_only(), "device"_a,
              "stream"_a, py::call_guard<py::gil_scoped_release>());
    };
    def_index("index_f32", &build<float>);
    def_index("index_f64", &build<double>);
    def_views("views_f32", &project<float, float>);
    def_views("views_f32_into_f64", &project<float, double>);
    def_views("views_f64", &project<double, double>);
    def_bounds("bounds_f32", &bounds<float>);
    def_bounds("bounds_f64", &bounds<double>);
    m.def("index_scratch", &cuda::index_scratch, "n"_a);
}

}  // namespace clustermass::bindings
