#include "clustermass/ops/subsample.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>

#include "clustermass/core/error.hpp"
#include "clustermass/ops/subsample_body.hpp"

namespace clustermass::ops {

namespace baseline {
extern const SubsampleLoops loops_of_subsample;
}
#if defined(CM_MULTI_ISA)
namespace avx2 {
extern const SubsampleLoops loops_of_subsample;
}
namespace avx512 {
extern const SubsampleLoops loops_of_subsample;
}
#endif

const SubsampleLoops& subsample_loops(Isa isa) {
#if defined(CM_MULTI_ISA)
    return choose(isa, &baseline::loops_of_subsample, &avx2::loops_of_subsample, &avx512::loops_of_subsample);
#else
    static_cast<void>(isa);
    return baseline::loops_of_subsample;
#endif
}

namespace {

constexpr std::int64_t kMaxChunks = 256;
constexpr std::int64_t kScratchEntries = std::int64_t(1) << 24;  // 64 MiB of permutations, whatever the threads

std::int64_t n_rows(const Subsampling& job) { return job.draw_offsets.size - 1; }

void check_shapes(const Subsampling& job) {
    const std::int64_t n_items = job.items.size;
    if (job.n_draws < 1 || job.n_draws > 0xffffffff) throw DomainError("`n_draws` must be from 1 to 2^32 - 1");
    if (job.offsets.size != n_items + 1) throw DomainError("`offsets` must be one longer than `items`");
    if (job.draw_offsets.size < 1 || n_rows(job) / job.n_draws != n_items || n_rows(job) % job.n_draws != 0)
        throw DomainError("`draw_offsets` must have n_items * n_draws + 1 entries");
    if (job.draw_offsets[0] != 0 || job.draw_offsets[n_rows(job)] != job.indices.size)
        throw DomainError("`draw_offsets` must start at 0 and end at the number of indices");
}

/// Largest number of members among rows that draw any; throws if a row asks for what its item has not.
std::int64_t largest_item(const Subsampling& job, std::int64_t first_row, std::int64_t last_row) {
    std::int64_t largest = 0, item = first_row / job.n_draws, draw = first_row % job.n_draws;
    for (std::int64_t row = first_row; row < last_row; ++row) {
        const std::int64_t members = job.offsets[item + 1] - job.offsets[item];
        const std::int64_t wanted = job.draw_offsets[row + 1] - job.draw_offsets[row];
        if (members < 0 || members >= kMaxMembers)
            throw DomainError("`offsets` must give each item from 0 to 2^32 - 1 members, got " +
                              std::to_string(members) + " for item " + std::to_string(item));
        if (wanted < 0 || wanted > members)
            throw DomainError("`draw_offsets` must ask for at most the members of an item, got " +
                              std::to_string(wanted) + " of " + std::to_string(members) + " for item " +
                              std::to_string(item));
        if (wanted > 0) largest = std::max(largest, members);
        if (++draw == job.n_draws) draw = 0, ++item;
    }
    return largest;
}

/// First row of chunk `chunk`: chunks have about the same number of indices.
std::int64_t chunk_start(const Subsampling& job, std::int64_t chunk, std::int64_t n_chunks) {
    if (chunk == 0) return 0;
    if (chunk == n_chunks) return n_rows(job);
    const std::int64_t* first = job.draw_offsets.data;
    const std::int64_t target = job.indices.size / n_chunks * chunk;
    return std::lower_bound(first, first + n_rows(job), target) - first;
}

}  // namespace

void subsample(const Subsampling& job, std::uint64_t seed, const Parallel& run) {
    check_shapes(job);
    const std::int64_t stride = largest_item(job, 0, n_rows(job)) + kPermutationPadding;
    const std::int64_t n_chunks =
        std::clamp<std::int64_t>(std::min(kScratchEntries / stride, n_rows(job)), 1, kMaxChunks);
    const auto scratch = std::unique_ptr<std::uint32_t[]>(new std::uint32_t[std::size_t(n_chunks * stride)]);
    const auto draw = subsample_loops(best_isa()).draw;
    const PhiloxKey key = philox_key(seed, Stream::subsample);

    parallel_chunks(n_chunks, run, [&](std::int64_t chunk) {
        const std::int64_t first = chunk_start(job, chunk, n_chunks), last = chunk_start(job, chunk + 1, n_chunks);
        std::uint32_t* permutation = scratch.get() + chunk * stride;
        std::iota(permutation, permutation + largest_item(job, first, last), 0u);
        draw(job, key, first, last, permutation);
    });
}

void subsample_uniform(Span<const std::int64_t> items, std::uint64_t seed, Span<double> out, const Parallel& run) {
    constexpr std::int64_t kChunk = 1 << 16;
    const PhiloxKey key = philox_key(seed, Stream::uniform);
    parallel_chunks((items.size + kChunk - 1) / kChunk, run, [&](std::int64_t chunk) {
        for (std::int64_t i = chunk * kChunk; i < std::min(items.size, (chunk + 1) * kChunk); ++i)
            out[i] = draw_uniform(items[i], key);
    });
}

}  // namespace clustermass::ops
