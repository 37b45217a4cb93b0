#include <algorithm>

#include "clustermass/core/philox_lanes.hpp"
#include "clustermass/math/normal.hpp"
#include "clustermass/ops/noise.hpp"

namespace clustermass::ops {
namespace CM_ISA {
namespace {

using namespace clustermass::CM_ISA;

constexpr int kBlocks = 64;  // counters per pass: 64 and 128 were fastest of 64 to 1024

/// Normal numbers 4 block .. 4 (block + n_blocks) of an item; whole batches are written.
void make_normals(std::uint32_t block, int n_blocks, std::uint64_t item, PhiloxKey key, float* normals) {
    alignas(64) std::uint32_t radius_words[2 * kBlocks], angle_words[2 * kBlocks];
    const int n_made = (n_blocks + kPhiloxBatch - 1) / kPhiloxBatch * kPhiloxBatch;
    for (int b = 0; b < n_made; b += kPhiloxBatch) {
        PhiloxBatch batch;
        for (int g = 0; g < kPhiloxGroups; ++g) {
            batch.x0[g] = lane_numbers() + std::uint64_t(block + std::uint32_t(b + g * kPhiloxLanes));
            batch.x1[g] = Lanes64{};
            batch.x2[g] = Lanes64{} + (item & 0xffffffffu);
            batch.x3[g] = Lanes64{} + (item >> 32);
        }
        batch.run(key);
        batch.store_halves(radius_words + 2 * b, angle_words + 2 * b);
    }
    for (int i = 0; i < 2 * n_made; ++i) {
        const math::NormalPair pair = math::normal_pair(radius_words[i], angle_words[i]);
        normals[2 * i] = pair.first;
        normals[2 * i + 1] = pair.second;
    }
}

template <class Real>
void add(Span<Real> values, Real sigma, std::uint64_t item, std::int64_t first, PhiloxKey key) {
    alignas(64) float normals[4 * kBlocks];
    for (std::int64_t done = 0; done < values.size;) {
        const std::int64_t element = first + done;
        const int skip = int(element % 4);
        const int n = int(std::min<std::int64_t>(values.size - done, 4 * kBlocks - skip));
        make_normals(std::uint32_t(element / 4), (skip + n + 3) / 4, item, key, normals);
        Real* out = values.data + done;
        const float* in = normals + skip;
        for (int i = 0; i < n; ++i) out[i] += sigma * Real(in[i]);
        done += n;
    }
}

}  // namespace

extern const NoiseLoops loops_of_noise;
const NoiseLoops loops_of_noise = {&add<float>, &add<double>};

}  // namespace CM_ISA
}  // namespace clustermass::ops
