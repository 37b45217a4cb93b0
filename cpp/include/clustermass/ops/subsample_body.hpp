#pragma once
#include <cstdint>

#include "clustermass/core/macros.hpp"
#include "clustermass/core/philox.hpp"
#include "clustermass/math/uniform.hpp"
#include "clustermass/ops/subsample.hpp"

namespace clustermass::ops {

/// Draw one row by the definition in subsample.hpp, word after word: what CUDA runs, and what the batched CPU loop is
/// tested against. `permutation[i]` is scratch (uint32) for as many entries as the item has members; what it holds
/// before and after means nothing.
template <class Permutation>
CM_HD void draw_row(const Subsampling& job, PhiloxKey key, std::int64_t row, Permutation permutation) {
    const std::int64_t item = row / job.n_draws, base = job.offsets[item], first = job.draw_offsets[row];
    const auto n = std::uint32_t(job.offsets[item + 1] - base);
    const auto wanted = std::uint32_t(job.draw_offsets[row + 1] - first);
    const bool keeps_taken = wanted <= n - wanted;  // else the members left over are the result
    const std::uint32_t n_steps = keeps_taken ? wanted : n - wanted;
    for (std::uint32_t i = 0; i < n; ++i) permutation[i] = i;

    std::uint32_t step = 0;
    for (std::uint32_t block = 0; step < n_steps; ++block) {
        const PhiloxBlock b =
            philox(philox_counter(block, std::uint32_t(row % job.n_draws), std::uint64_t(job.items[item])), key);
        const std::uint32_t words[4] = {b.w0, b.w1, b.w2, b.w3};
        for (int w = 0; w < 4 && step < n_steps; ++w) {
            std::uint32_t above;
            if (!math::bounded_integer(words[w], n - step, above)) continue;
            const std::uint32_t member = permutation[step + above];
            permutation[step + above] = permutation[step];
            if (keeps_taken) job.indices[first + step] = base + member;
            ++step;
        }
    }
    if (!keeps_taken)
        for (std::uint32_t i = 0; i < wanted; ++i) job.indices[first + i] = base + permutation[n_steps + i];
}

/// The uniform number of an item.
CM_HD double draw_uniform(std::int64_t item, PhiloxKey key) {
    const PhiloxBlock block = philox(philox_counter(0, 0, std::uint64_t(item)), key);
    return math::unit_interval(block.w0, block.w1);
}

}  // namespace clustermass::ops
