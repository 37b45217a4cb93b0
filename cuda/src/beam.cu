#include "clustermass/math/symmetric_filter.hpp"
#include "clustermass_cuda/launch.cuh"
#include "clustermass_cuda/ops.hpp"

namespace clustermass::cuda {
namespace {

/// Filter along the rows of the images: one thread per value of `out` (image, row, column without margin).
template <class Real>
struct AlongRows {
    Stack<const Real> in;
    Stack<Real> out;
    Table<const Real> taps;
    const std::int64_t* reach;
    std::int64_t first, margin;  ///< number of the first image, for its channel
    __device__ void operator()(std::int64_t i) const {
        const std::int64_t col = i % out.cols, row = i / out.cols % out.rows, item = i / out.cols / out.rows;
        const std::int64_t channel = (first + item) % taps.rows;
        const Real* const line = in.item(item) + row * in.cols;
        Real value[1];
        math::symmetric_filter<1>(
            taps.row(channel), reach[channel],
            [&](std::int64_t k) {
                const std::int64_t from = col + margin + k;
                return from >= 0 && from < in.cols ? line[from] : Real(0);
            },
            value);
        out.data[i] = value[0];
    }
};

/// Filter along the columns, from images without a margin on their sides.
template <class Real>
struct AlongColumns {
    Stack<const Real> in;
    Stack<Real> out;
    Table<const Real> taps;
    const std::int64_t* reach;
    std::int64_t first, margin;
    __device__ void operator()(std::int64_t i) const {
        const std::int64_t col = i % out.cols, row = i / out.cols % out.rows, item = i / out.cols / out.rows;
        const std::int64_t channel = (first + item) % taps.rows;
        const Real* const line = in.item(item) + col;
        Real value[1];
        math::symmetric_filter<1>(
            taps.row(channel), reach[channel],
            [&](std::int64_t k) {
                const std::int64_t from = row + margin + k;
                return from >= 0 && from < in.rows ? line[from * in.cols] : Real(0);
            },
            value);
        out.data[i] = value[0];
    }
};

template <class Real>
struct Pad {
    Stack<const Real> in;
    Stack<Real> out;
    std::int64_t margin;
    __device__ void operator()(std::int64_t i) const {
        const std::int64_t col = i % out.cols - margin, row = i / out.cols % out.rows - margin;
        const bool is_inside = col >= 0 && col < in.cols && row >= 0 && row < in.rows;
        out.data[i] = is_inside ? in.item(i / out.cols / out.rows)[row * in.cols + col] : Real(0);
    }
};

}  // namespace

template <class Real>
void convolve_beam(const Stack<const Real>& images, const Table<const Real>& taps, const std::int64_t* reach,
                   std::int64_t margin, const Queue& queue, Span<Real> scratch, Real* out) {
    const std::int64_t rows = images.rows - 2 * margin, cols = images.cols - 2 * margin;
    if (margin < 0 || margin > images.rows || rows < 1 || cols < 1 || taps.rows < 1 || images.items % taps.rows != 0)
        throw ArrayError("beam: margin, taps and images do not fit together");
    checked_product("images", images.items, checked_product("images", images.rows, images.cols));
    const std::int64_t per_image = images.rows * cols, at_once = scratch.size / per_image;
    if (images.items > 0 && at_once < 1)
        throw ArrayError("beam: scratch must hold an image, " + std::to_string(per_image) + " values, got " +
                         std::to_string(scratch.size));
    for (std::int64_t first = 0; first < images.items; first += at_once) {
        const std::int64_t n = std::min(at_once, images.items - first);
        const Stack<const Real> in{images.item(first), n, images.rows, images.cols};
        const Stack<Real> half{scratch.data, n, images.rows, cols}, done{out + first * rows * cols, n, rows, cols};
        for_each_index(half.size(), AlongRows<Real>{in, half, taps, reach, first, margin}, queue, "beam");
        const Stack<const Real> read{scratch.data, n, images.rows, cols};
        for_each_index(done.size(), AlongColumns<Real>{read, done, taps, reach, first, margin}, queue, "beam");
    }
}

template <class Real>
void pad(const Stack<const Real>& images, std::int64_t margin, const Queue& queue, Real* out) {
    const Stack<Real> wide{out, images.items, images.rows + 2 * margin, images.cols + 2 * margin};
    checked_product("images", wide.items, checked_product("images", wide.rows, wide.cols));
    for_each_index(wide.size(), Pad<Real>{images, wide, margin}, queue, "beam");
}

#define CM_INSTANTIATE(Real)                                                                                   \
    template void convolve_beam<Real>(const Stack<const Real>&, const Table<const Real>&, const std::int64_t*, \
                                      std::int64_t, const Queue&, Span<Real>, Real*);                          \
    template void pad<Real>(const Stack<const Real>&, std::int64_t, const Queue&, Real*);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::cuda
