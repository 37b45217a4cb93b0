#pragma once
#include <cstdint>

#include "clustermass/core/isa.hpp"
#include "clustermass/core/parallel.hpp"
#include "clustermass/core/philox.hpp"
#include "clustermass/core/span.hpp"

namespace clustermass::ops {

/// Elements of one item (channel, row, column) must number at most this: a block number has 32 bits and gives four.
inline constexpr std::int64_t kMaxNoiseElements = std::int64_t(1) << 34;

/// values[i] += sigma * normal number `first + i` of the item.
template <class Real>
using AddNormals = void (*)(Span<Real> values, Real sigma, std::uint64_t item, std::int64_t first, PhiloxKey key);

/// The hot loops, compiled per instruction set; all give the same bits.
struct NoiseLoops {
    AddNormals<float> add_f32;
    AddNormals<double> add_f64;
};

const NoiseLoops& noise_loops(Isa isa);

/// Add Gaussian white noise in place. images: (item, channel, pixel); sigma: standard deviation per channel, >= 0;
/// items: the key of each image. The number added to an element depends only on (seed, item key, channel * pixels +
/// pixel), so neither threads nor batches nor other channels change it.
template <class Real>
void add_noise(Stack<Real> images, Span<const double> sigma, Span<const std::int64_t> items, std::uint64_t seed,
               const Parallel& run);

}  // namespace clustermass::ops
