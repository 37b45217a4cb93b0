#include "clustermass/math/normal.hpp"
#include "clustermass/ops/noise.hpp"
#include "clustermass_cuda/launch.cuh"
#include "clustermass_cuda/ops.hpp"

/// Compiled without contraction to fused multiply-add: the bits are those of every other backend (docs/determinism.md).
namespace clustermass::cuda {
namespace {

/// One thread per block of the generator, which is four elements of an item.
template <class Real>
struct AddNoise {
    const Real* in;
    Stack<Real> out;
    const double* sigma;
    const std::int64_t* items;
    PhiloxKey key;
    std::int64_t blocks_per_item;

    __device__ void operator()(std::int64_t i) const {
        const std::int64_t item = i / blocks_per_item, block = i % blocks_per_item, per_item = out.rows * out.cols;
        const PhiloxBlock words = philox(
            philox_counter(std::uint32_t(block), 0, items ? std::uint64_t(items[item]) : std::uint64_t(item)), key);
        const math::NormalPair a = math::normal_pair(words.w0, words.w2), b = math::normal_pair(words.w1, words.w3);
        const float normals[4] = {a.first, a.second, b.first, b.second};
        for (int k = 0; k < 4; ++k) {
            const std::int64_t element = 4 * block + k;
            if (element >= per_item) return;
            const double level = sigma[element / out.cols];
            const std::int64_t at = item * per_item + element;
            out.data[at] = level > 0 ? in[at] + Real(level) * Real(normals[k]) : in[at];
        }
    }
};

}  // namespace

template <class Real>
void add_noise(const Real* in, const double* sigma, const std::int64_t* items, std::uint64_t seed, const Queue& queue,
               const Stack<Real>& out) {
    const std::int64_t per_item = checked_product("images", out.rows, out.cols);
    checked_product("images", out.items, per_item);
    if (per_item > ops::kMaxNoiseElements) throw DomainError("`images` must have at most 2^34 elements per item");
    const std::int64_t blocks = (per_item + 3) / 4;
    const AddNoise<Real> add{in, out, sigma, items, philox_key(seed, clustermass::Stream::noise), blocks};
    for_each_index(out.items * blocks, add, queue, "noise");
}

template void add_noise<float>(const float*, const double*, const std::int64_t*, std::uint64_t, const Queue&,
                               const Stack<float>&);
template void add_noise<double>(const double*, const double*, const std::int64_t*, std::uint64_t, const Queue&,
                                const Stack<double>&);

}  // namespace clustermass::cuda
