#include "clustermass/ops/noise.hpp"

#include <algorithm>
#include <string>
#include <type_traits>

#include "clustermass/core/error.hpp"

namespace clustermass::ops {

namespace baseline {
extern const NoiseLoops loops_of_noise;
}
#if defined(CM_MULTI_ISA)
namespace avx2 {
extern const NoiseLoops loops_of_noise;
}
namespace avx512 {
extern const NoiseLoops loops_of_noise;
}
#endif

const NoiseLoops& noise_loops(Isa isa) {
#if defined(CM_MULTI_ISA)
    return choose(isa, &baseline::loops_of_noise, &avx2::loops_of_noise, &avx512::loops_of_noise);
#else
    static_cast<void>(isa);
    return baseline::loops_of_noise;
#endif
}

namespace {

constexpr std::int64_t kChunk = 1 << 16;  // elements per task

template <class Real>
AddNormals<Real> add_normals() {
    const NoiseLoops& loops = noise_loops(best_isa());
    if constexpr (std::is_same_v<Real, float>)
        return loops.add_f32;
    else
        return loops.add_f64;
}

void check(std::int64_t per_item, std::int64_t channels, Span<const double> sigma) {
    if (per_item > kMaxNoiseElements) throw DomainError("`images` must have at most 2^34 elements per item");
    if (sigma.size != channels)
        throw DomainError("`sigma` must have one value per channel: expected " + std::to_string(channels) + ", got " +
                          std::to_string(sigma.size));
}

}  // namespace

template <class Real>
void add_noise(Stack<Real> images, Span<const double> sigma, Span<const std::int64_t> items, std::uint64_t seed,
               const Parallel& run) {
    const std::int64_t channels = images.rows, pixels = images.cols, per_item = channels * pixels;
    check(per_item, channels, sigma);
    const auto add = add_normals<Real>();
    const PhiloxKey key = philox_key(seed, Stream::noise);
    const std::int64_t total = images.size();

    parallel_chunks((total + kChunk - 1) / kChunk, run, [&](std::int64_t chunk) {
        const std::int64_t end = std::min(total, (chunk + 1) * kChunk);
        for (std::int64_t at = chunk * kChunk; at < end;) {  // one channel of one item at a time
            const std::int64_t item = at / per_item, element = at % per_item, channel = element / pixels;
            const std::int64_t stop = std::min(end, item * per_item + (channel + 1) * pixels);
            if (sigma[channel] > 0)
                add({images.data + at, stop - at}, Real(sigma[channel]), std::uint64_t(items[item]), element, key);
            at = stop;
        }
    });
}

template void add_noise<float>(Stack<float>, Span<const double>, Span<const std::int64_t>, std::uint64_t,
                               const Parallel&);
template void add_noise<double>(Stack<double>, Span<const double>, Span<const std::int64_t>, std::uint64_t,
                                const Parallel&);

}  // namespace clustermass::ops
