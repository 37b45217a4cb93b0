#include "clustermass/ops/beam.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <new>
#include <string>

#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"

namespace clustermass::ops {

// clang-format off
namespace baseline { extern const BeamLoops<float> beam_loops_f32; extern const BeamLoops<double> beam_loops_f64; }
#if defined(CM_MULTI_ISA)
namespace avx2 { extern const BeamLoops<float> beam_loops_f32; extern const BeamLoops<double> beam_loops_f64; }
namespace avx512 { extern const BeamLoops<float> beam_loops_f32; extern const BeamLoops<double> beam_loops_f64; }
#define CM_CHOOSE(table) choose(best_isa(), &baseline::table, &avx2::table, &avx512::table)
#else
#define CM_CHOOSE(table) baseline::table
#endif
// clang-format on

namespace {

constexpr std::int64_t kChunkValues = 1 << 16;  // of image per piece of work: 0.1 ms, and a few hundred pieces or more
constexpr std::align_val_t kAlignment{64};      // a cache line, and the widest register

template <class Real>
const BeamLoops<Real>& loops();
template <>
const BeamLoops<float>& loops<float>() {
    return CM_CHOOSE(beam_loops_f32);
}
template <>
const BeamLoops<double>& loops<double>() {
    return CM_CHOOSE(beam_loops_f64);
}

struct FreeAligned {
    void operator()(void* p) const { ::operator delete(p, kAlignment); }
};

template <class Real>
std::unique_ptr<Real, FreeAligned> zeros(std::int64_t n) {
    auto* const p = static_cast<Real*>(::operator new(std::size_t(n) * sizeof(Real), kAlignment));
    std::fill_n(p, n, Real(0));
    return std::unique_ptr<Real, FreeAligned>(p);
}

template <class Real>
void check(Stack<const Real> images, Table<const Real> taps, Span<const std::int64_t> reach, std::int64_t margin,
           Stack<Real> out) {
    const auto text = [](std::int64_t value) { return std::to_string(value); };
    if (reach.size < 1 || reach.size != taps.rows || images.items % reach.size != 0)
        throw ArrayError("`reach` must have one entry per row of `taps`, and one per channel of `images`");
    const auto [low, high] = std::minmax_element(reach.data, reach.data + reach.size);
    if (*low < 0 || *high >= taps.cols)
        throw DomainError("`reach` must lie between 0 and " + text(taps.cols - 1) + ", got " + text(*low) + " to " +
                          text(*high));
    if (margin < 0 || (margin > 0 && margin < *high))
        throw DomainError("`margin` must be at least the reach of the beam, " + text(*high) + ", got " + text(margin));
    if (out.items != images.items || out.rows < 1 || out.cols < 1 || out.rows != images.rows - 2 * margin ||
        out.cols != images.cols - 2 * margin)
        throw ArrayError("`out` must hold the images without their margin, with at least one pixel each");
    const std::less<const Real*> before;
    const bool apart = !before(out.data, images.data + images.size()) || !before(images.data, out.data + out.size());
    if (!apart && (margin > 0 || out.data != images.data))
        throw ArrayError("`out` must be the images themselves or share no memory with them");
}

}  // namespace

template <class Real>
bool convolve_beam(Stack<const Real> images, Table<const Real> taps, Span<const std::int64_t> reach,
                   std::int64_t margin, const Parallel& run, Stack<Real> out) {
    check(images, taps, reach, margin, out);
    const auto& loop = loops<Real>();
    const auto per_chunk = std::max<std::int64_t>(1, kChunkValues / (images.rows * images.cols));
    const auto n_chunks = (images.items + per_chunk - 1) / per_chunk;
    std::atomic<bool> finite{true};
    const auto for_each = [&](auto&& body) {
        parallel_chunks(n_chunks, run, [&](std::int64_t chunk) {
            if (finite) body(chunk * per_chunk, std::min((chunk + 1) * per_chunk, images.items));
        });
    };
    if (out.data == images.data) {  // the only copy of the input: look before the first write
        for_each([&](std::int64_t first, std::int64_t last) {
            if (!loop.all_finite(images.item(first), (last - first) * images.rows * images.cols)) finite = false;
        });
    }
    for_each([&](std::int64_t first, std::int64_t last) {
        const auto job = [&](std::int64_t i) {
            const auto channel = i % reach.size;
            return BeamImage<Real>{images.item(i), out.item(i),       images.rows,   images.cols,
                                   margin,         taps.row(channel), reach[channel]};
        };
        std::int64_t size = 1;
        for (std::int64_t i = first; i < last; ++i) size = std::max(size, loop.scratch_size(job(i)));
        const auto scratch = zeros<Real>(size);
        for (std::int64_t i = first; i < last; ++i)
            if (!loop.convolve(job(i), scratch.get())) finite = false;
    });
    return finite;
}

#define CM_INSTANTIATE(Real)                                                                                        \
    template bool convolve_beam<Real>(Stack<const Real>, Table<const Real>, Span<const std::int64_t>, std::int64_t, \
                                      const Parallel&, Stack<Real>);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::ops
