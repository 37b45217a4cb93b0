#pragma once
#include <cstdint>

#include "clustermass/core/isa.hpp"
#include "clustermass/core/parallel.hpp"
#include "clustermass/core/philox.hpp"
#include "clustermass/core/span.hpp"

namespace clustermass::ops {

/// An item must have fewer members than this: positions are drawn with 32 bits.
inline constexpr std::int64_t kMaxMembers = std::int64_t(1) << 32;

/// What to draw. Row r is draw r % n_draws of item r / n_draws; its indices go to indices[draw_offsets[r] ...].
struct Subsampling {
    Span<const std::int64_t> offsets;       ///< members of item i: offsets[i] .. offsets[i + 1]
    Span<const std::int64_t> items;         ///< random-number key per item
    std::int64_t n_draws;                   ///< draws per item
    Span<const std::int64_t> draw_offsets;  ///< one more than rows; how many to draw is the difference
    Span<std::int64_t> indices;             ///< result
};

/// Scratch of the loops: a table that is the identity before and after each call. This many entries beyond the
/// largest number of members may be written.
inline constexpr std::int64_t kPermutationPadding = 16;

/// The hot loop, compiled per instruction set; all give the same bits.
struct SubsampleLoops {
    void (*draw)(const Subsampling& job, PhiloxKey key, std::int64_t first_row, std::int64_t last_row,
                 std::uint32_t* permutation);
};

const SubsampleLoops& subsample_loops(Isa isa);

/// Draw without replacement: for each row, steps = min(k, n - k) exchanges of a Fisher-Yates shuffle of the members,
/// where step t takes position t + (bounded integer below n - t). If 2 k <= n the members taken are the result, in the
/// order taken; else those left over are, in the order in which they then stand. The words used are those of counters
/// (0, draw, item), (1, draw, item), ... in sequence.
void subsample(const Subsampling& job, std::uint64_t seed, const Parallel& run);

/// out[i] = number in [0, 1) that depends on (seed, items[i]) only.
void subsample_uniform(Span<const std::int64_t> items, std::uint64_t seed, Span<double> out, const Parallel& run);

}  // namespace clustermass::ops
