#include <cmath>

#include "clustermass/ops/cell_walk.hpp"
#include "clustermass/ops/project_body.hpp"
#include "clustermass_cuda/atomics.cuh"
#include "clustermass_cuda/launch.cuh"
#include "clustermass_cuda/ops.hpp"

namespace clustermass::cuda {
namespace {

constexpr double kMaxCellsAcross = 1e6;  ///< a view that spans more is refused: it would never end
constexpr double kReach = 2;             ///< pixels around the image whose particles can still touch it

/// Thirty-two threads share a line of cells: they take its particles in turn. A view has `warps` such groups, which
/// take its lines in turn.
template <class Real>
struct ProjectViews {
    ops::ParticleIndex<const Real> index;
    ops::ProjectBody<Real, AtomicAdd> deposit;
    ViewArrays views;
    ops::ViewsParams params;
    std::int64_t first, warps;
    Stack<double> sums;  ///< of the first view; others follow

    __device__ void operator()(std::int64_t i) const {
        const std::int64_t lane = i % kWarp, warp = i / kWarp % warps, view_number = i / kWarp / warps;
        const math::View view = read(first + view_number);
        Stack<double> image = sums;
        image.data += view_number * sums.size();
        const double margin = params.max_support + kReach / view.per_pixel;
        const double half[3] = {0.5 * double(sums.rows) / view.per_pixel + margin,
                                0.5 * double(sums.cols) / view.per_pixel + margin, params.half_depth};
        if (!is_sane(view, half)) {
            for (std::int64_t k = warp * kWarp + lane; k < sums.size(); k += warps * kWarp) image.data[k] = NAN;
            return;
        }
        std::int64_t line_number = 0;
        ops::walk_cells(index.cells, {view.centre, view.axes, half[0], half[1], -half[2], half[2]},
                        [&](std::int64_t row, std::int64_t col, ops::CellRange along) {
                            if (line_number++ % warps == warp) line(view, image, row, col, along, lane);
                        });
    }

private:
    __device__ void line(const math::View& view, const Stack<double>& image, std::int64_t row, std::int64_t col,
                         ops::CellRange along, std::int64_t lane) const {
        ops::runs_of_line(index.cells, index.cell_start.data, row, col, along,
                          [&](std::int64_t begin, std::int64_t end, const std::int64_t (&boxes)[3]) {
                              double centre[3];
                              ops::shift_centre(index.cells, view.centre, boxes, centre);
                              for (std::int64_t p = begin + lane; p < end; p += kWarp) one(view, image, centre, p);
                          });
    }

    __device__ void one(const math::View& view, const Stack<double>& image, const double (&centre)[3],
                        std::int64_t p) const {
        const math::ViewPoint at = math::view_point(view, double(index.x[p]) - centre[0],
                                                    double(index.y[p]) - centre[1], double(index.z[p]) - centre[2]);
        if (math::in_slab(at.depth, params.half_depth))
            deposit.at(p, at.row + 0.5 * double(sums.rows), at.col + 0.5 * double(sums.cols), view.per_pixel,
                       AtomicAdd{image});
    }

    __device__ math::View read(std::int64_t v) const {
        math::View view;
        for (int a = 0; a < 3; ++a) {
            view.centre[a] = views.centres[3 * v + a];
            for (int b = 0; b < 3; ++b) view.axes[a][b] = views.rotations[9 * v + 3 * a + b];
        }
        view.per_pixel = 1 / views.pixel_sizes[views.n_sizes == 1 ? 0 : v];
        return view;
    }

    /// Numbers that came from the device were checked by nobody: without this, a NaN among them could loop for ever.
    __device__ bool is_sane(const math::View& view, const double (&half)[3]) const {
        bool sane = view.per_pixel > 0;
        for (int a = 0; a < 3; ++a) {
            double norm = 0;
            for (int b = 0; b < 3; ++b) norm += view.axes[a][b] * view.axes[a][b];
            const double extent = half[0] + half[1] + half[2];
            const double away = std::fabs(view.centre[a] - index.cells.origin[a]) + extent;
            const double limit = index.cells.is_periodic ? kMaxCellsAcross * index.cells.size[a] : HUGE_VAL;
            sane &= std::fabs(norm - 1) < 1e-3 && away < limit;  // a walk ends with the cells where nothing repeats
        }
        return sane;
    }
};

template <class Out>
struct StoreSums {
    const double* sums;
    Out* images;
    __device__ void operator()(std::int64_t k) const { images[k] = Out(sums[k]); }
};

template <class Real>
void check_views(const ops::ParticleIndex<const Real>& index, const ViewArrays& views, const ops::ViewsParams& params,
                 std::int64_t rows, std::int64_t cols) {
    check_cells(index.cells);
    if (params.assignment < ops::Assignment::ngp || params.assignment > ops::Assignment::sph ||
        params.kernel < math::SphKernel::cubic_spline || params.kernel > math::SphKernel::wendland_c2)
        throw DomainError("views: unknown assignment or kernel");
    if (rows < 1 || cols < 1 || index.weights.cols < 1 || views.n < 0 ||
        (views.n_sizes != 1 && views.n_sizes != views.n))
        throw DomainError("views: the image needs at least one pixel and channel, and each view a pixel size");
    if (!(params.half_depth > 0) || !(params.max_support >= 0) || !std::isfinite(params.max_support))
        throw DomainError("views: depth must be positive, the largest smoothing length not negative");
    if (params.assignment == ops::Assignment::sph && index.smoothing_length.size != index.x.size)
        throw ArrayError("views: sph needs an index with smoothing lengths");
}

}  // namespace

template <class Real, class Out>
void project_views(const ops::ParticleIndex<const Real>& index, const ViewArrays& views, const ops::ViewsParams& params,
                   std::int64_t rows, std::int64_t cols, const Queue& queue, Span<double> scratch, Out* images) {
    check_views(index, views, params, rows, cols);
    const std::int64_t channels = index.weights.cols;
    const std::int64_t size = checked_product("images", channels, checked_product("images", rows, cols));
    checked_product("images", views.n, size);
    constexpr bool kInPlace = sizeof(Out) == sizeof(double);  // the sums of float64 images are the images
    const std::int64_t at_once = kInPlace ? std::max<std::int64_t>(1, views.n) : scratch.size / size;
    if (at_once < 1) throw ArrayError("views: scratch must hold an image, " + std::to_string(size) + " numbers");
    const ops::Particles<Real> particles{{nullptr, index.x.size, 2}, index.weights, index.smoothing_length};
    const ops::ProjectParams frame{params.assignment, params.kernel, 0, 0, 1};
    for (std::int64_t first = 0; first < views.n; first += at_once) {
        const std::int64_t n = std::min(at_once, views.n - first);
        auto* const sums = kInPlace ? reinterpret_cast<double*>(images) : scratch.data;
        if (!params.add) clear(sums, n * size, queue, "views");
        const Stack<double> image{sums, channels, rows, cols};
        const std::int64_t warps = warps_per_view(n);
        const ProjectViews<Real> body{
            index, {particles, frame, rows, cols, AtomicAdd{image}}, views, params, first, warps, image};
        for_each_index(n * warps * kWarp, body, queue, "views");
        if (!kInPlace) for_each_index(n * size, StoreSums<Out>{sums, images + first * size}, queue, "views");
    }
}

#define CM_INSTANTIATE(Real, Out)                                                                             \
    template void project_views<Real, Out>(const ops::ParticleIndex<const Real>&, const ViewArrays&,          \
                                           const ops::ViewsParams&, std::int64_t, std::int64_t, const Queue&, \
                                           Span<double>, Out*);
CM_INSTANTIATE(float, float)
CM_INSTANTIATE(float, double)
CM_INSTANTIATE(double, double)
#undef CM_INSTANTIATE

}  // namespace clustermass::cuda
