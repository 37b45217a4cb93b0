#include "arrays.hpp"
#include "clustermass/ops/subsample.hpp"

namespace clustermass::bindings {
namespace {

void subsample(const py::array& offsets, const py::array& items, const py::array& draw_offsets,
               const py::array& indices, std::int64_t n_draws, std::uint64_t seed, int n_threads) {
    const ops::Subsampling job{span<const std::int64_t>(offsets, "offsets"), span<const std::int64_t>(items, "items"),
                               n_draws, span<const std::int64_t>(draw_offsets, "draw_offsets"),
                               span<std::int64_t>(indices, "indices")};
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    ops::subsample(job, seed, run);
}

void uniform(const py::array& items, const py::array& out, std::uint64_t seed, int n_threads) {
    const auto keys = span<const std::int64_t>(items, "items");
    const auto numbers = span<double>(out, "out", keys.size);
    const auto run = parallel(n_threads);
    const py::gil_scoped_release nogil;  // no Python object is touched below
    ops::subsample_uniform(keys, seed, numbers, run);
}

}  // namespace

void bind_subsample(py::module_& m) {
    using namespace py::literals;
    m.def("subsample", &subsample, "offsets"_a, "items"_a, "draw_offsets"_a, "indices"_a, py::kw_only(), "n_draws"_a,
          "seed"_a, "n_threads"_a);
    m.def("subsample_uniform", &uniform, "items"_a, "out"_a, py::kw_only(), "seed"_a, "n_threads"_a);
}

}  // namespace clustermass::bindings
