#include <pybind11/pybind11.h>

#include "address.hpp"
#include "clustermass_cuda/ops.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
namespace {

void subsample(std::uintptr_t offsets, std::uintptr_t items, std::int64_t n_items, std::uintptr_t draw_offsets,
               std::uintptr_t indices, std::int64_t n_indices, std::uintptr_t scratch, std::int64_t scratch_size,
               std::int64_t max_members, std::int64_t n_draws, std::uint64_t seed, int device, std::uintptr_t stream) {
    cuda::subsample({{at<const std::int64_t>(offsets), n_items + 1},
                     {at<const std::int64_t>(items), n_items},
                     n_draws,
                     {at<const std::int64_t>(draw_offsets), n_items * n_draws + 1},
                     {at<std::int64_t>(indices), n_indices}},
                    seed, max_members, {at<std::uint32_t>(scratch), scratch_size}, {device, at<void>(stream)});
}

}  // namespace

void bind_subsample(py::module_& m) {
    using namespace py::literals;
    m.def("subsample", &subsample, "offsets"_a, "items"_a, "n_items"_a, "draw_offsets"_a, "indices"_a, "n_indices"_a,
          "scratch"_a, "scratch_size"_a, py::kw_only(), "max_members"_a, "n_draws"_a, "seed"_a, "device"_a, "stream"_a,
          py::call_guard<py::gil_scoped_release>());
    m.def(
        "subsample_uniform",
        [](std::uintptr_t items, std::int64_t n_items, std::uintptr_t out, std::uint64_t seed, int device,
           std::uintptr_t stream) {
            cuda::subsample_uniform({at<const std::int64_t>(items), n_items}, seed, {device, at<void>(stream)},
                                    at<double>(out));
        },
        "items"_a, "n_items"_a, "out"_a, py::kw_only(), "seed"_a, "device"_a, "stream"_a,
        py::call_guard<py::gil_scoped_release>());
}

}  // namespace clustermass::bindings
