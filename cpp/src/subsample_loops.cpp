#include <algorithm>
#include <cstring>

#include "clustermass/core/philox_lanes.hpp"
#include "clustermass/math/uniform.hpp"
#include "clustermass/ops/subsample.hpp"

namespace clustermass::ops {
namespace CM_ISA {
namespace {

using namespace clustermass::CM_ISA;

constexpr int kBlocks = 128;  // counters per pass: all that a pass touches stays in the first-level cache

/// A row (item and draw) and how much of it is done.
struct Cursor {
    std::int64_t row, item;
    std::uint32_t draw, block, step;

    CM_HD void next_row(std::int64_t n_draws) {
        ++row;
        block = step = 0;
        if (++draw == n_draws) {
            draw = 0;
            ++item;
        }
    }
};

struct Row {
    std::int64_t base;
    std::uint32_t n_members, n_wanted, n_steps, n_blocks;
    bool keeps_taken;  // else the members left over are the result
    std::int64_t* out;
};

CM_HD Row row_at(const Subsampling& job, const Cursor& at) {
    const std::int64_t base = job.offsets[at.item], first = job.draw_offsets[at.row];
    const auto n = std::uint32_t(job.offsets[at.item + 1] - base),
               k = std::uint32_t(job.draw_offsets[at.row + 1] - first);
    const std::uint32_t steps = k <= n - k ? k : n - k;
    return {base, n, k, steps, steps / 4 + (steps % 4 != 0), k <= n - k, job.indices.data + first};
}

/// Counters of many rows side by side, so that short rows fill the vector lanes too.
struct Counters {
    alignas(64) std::uint64_t draw_and_block[kBlocks + kPhiloxBatch];
    alignas(64) std::uint64_t item[kBlocks + kPhiloxBatch];
};

/// Plan up to kBlocks counters, beginning at `plan`, which moves on. Returns their number.
int plan_blocks(const Subsampling& job, std::int64_t last_row, Cursor& plan, Counters& counters) {
    int n = 0;
    while (plan.row < last_row && n < kBlocks) {
        const std::uint32_t need = row_at(job, plan).n_blocks - plan.block;
        const int take = int(std::min<std::uint32_t>(need, std::uint32_t(kBlocks - n)));
        const Lanes64 item = Lanes64{} + std::uint64_t(job.items[plan.item]);
        Lanes64 block = lane_numbers() + (std::uint64_t(plan.draw) << 32 | plan.block);
        int b = 0;
        do {  // writes whole vectors, into the space of the counters that follow
            std::memcpy(counters.draw_and_block + n + b, &block, sizeof block);
            std::memcpy(counters.item + n + b, &item, sizeof item);
            block += std::uint64_t(kPhiloxLanes);
            b += kPhiloxLanes;
        } while (b < take);
        n += take;
        if (std::uint32_t(take) == need)
            plan.next_row(job.n_draws);
        else
            plan.block += std::uint32_t(take);
    }
    return n;
}

void make_words(const Counters& counters, int n_blocks, PhiloxKey key, std::uint32_t* words) {
    for (int b = 0; b < n_blocks; b += kPhiloxBatch) {
        PhiloxBatch batch;
        for (int g = 0; g < kPhiloxGroups; ++g) {
            std::memcpy(&batch.x0[g], counters.draw_and_block + b + g * kPhiloxLanes, sizeof(Lanes64));
            std::memcpy(&batch.x2[g], counters.item + b + g * kPhiloxLanes, sizeof(Lanes64));
            batch.x1[g] = batch.x0[g] >> 32;  // the high halves of x0 and x2 do not count
            batch.x3[g] = batch.x2[g] >> 32;
        }
        batch.run(key);
        batch.store(words + 4 * b);
    }
}

/// Positions for steps `step` .. `step + n` if none of the words has to be thrown away; else returns false.
/// May read and write up to one vector beyond n.
bool choose_positions(const std::uint32_t* words, int n, std::uint32_t step, std::uint32_t n_members,
                      std::uint32_t* positions) {
    Lanes64 at = lane_numbers() + std::uint64_t(step), range = Lanes64{} + std::uint64_t(n_members) - at;
    Lanes64 doubt{};  // the high bit of a lane: low half of a product < range
    for (int i = 0; i < n; i += kPhiloxLanes) {
        const Lanes64 product = multiply_low_halves(load_words(words + i), range);
        doubt |= (product & (Lanes64{} + 0xffffffffu)) - range;
        store_words(positions + i, (product >> 32) + at);
        at += std::uint64_t(kPhiloxLanes);
        range -= std::uint64_t(kPhiloxLanes);
    }
    std::uint64_t any = 0;
    for (int i = 0; i < kPhiloxLanes; ++i) any |= doubt[i];
    return (any >> 63) == 0;
}

CM_HD void take(const Row& row, std::uint32_t step, std::uint32_t position, std::uint32_t* permutation) {
    const std::uint32_t member = permutation[position];
    permutation[position] = permutation[step];
    row.out[step] = row.base + member;
}

CM_HD void drop(std::uint32_t step, std::uint32_t position, std::uint32_t* permutation) {
    permutation[position] = permutation[step];
}

/// Word by word; returns the number of steps made.
std::uint32_t step_carefully(const Row& row, std::uint32_t step, const std::uint32_t* words, int n_words,
                             std::uint32_t* permutation) {
    const std::uint32_t first = step;
    for (int i = 0; i < n_words && step < row.n_steps; ++i) {
        std::uint32_t above;
        if (!math::bounded_integer(words[i], row.n_members - step, above)) continue;
        if (row.keeps_taken)
            take(row, step, step + above, permutation);
        else
            drop(step, step + above, permutation);
        ++step;
    }
    return step - first;
}

std::uint32_t make_steps(const Row& row, std::uint32_t step, const std::uint32_t* words, int n_words,
                         std::uint32_t* permutation) {
    alignas(64) std::uint32_t positions[4 * kBlocks + kPhiloxLanes];
    const int n = int(std::min<std::uint32_t>(std::uint32_t(n_words), row.n_steps - step));
    if (!choose_positions(words, n, step, row.n_members, positions))
        return step_carefully(row, step, words, n_words, permutation);
    if (row.keeps_taken)
        for (int i = 0; i < n; ++i) take(row, step + std::uint32_t(i), positions[i], permutation);
    else
        for (int i = 0; i < n; ++i) drop(step + std::uint32_t(i), positions[i], permutation);
    return std::uint32_t(n);
}

/// permutation[i] = i for i < n and up to one vector more.
CM_HD void reset(std::uint32_t* permutation, std::uint32_t n) {
    Lanes64 number = lane_numbers();
    for (std::uint64_t i = 0; i < n; i += kPhiloxLanes) {
        store_words(permutation + i, number);
        number += std::uint64_t(kPhiloxLanes);
    }
}

void write_left_over(const Row& row, const std::uint32_t* permutation) {
    const std::uint32_t* from = permutation + row.n_steps;
    const std::uint64_t n = row.n_wanted;
    if (n < kPhiloxLanes) {
        for (std::uint64_t i = 0; i < n; ++i) row.out[i] = row.base + from[i];
        return;
    }
    const auto write = [&](std::uint64_t i) {
        const Lanes64 index = load_words(from + i) + std::uint64_t(row.base);
        std::memcpy(row.out + i, &index, sizeof index);
    };
    for (std::uint64_t i = 0; i + kPhiloxLanes <= n; i += kPhiloxLanes) write(i);
    write(n - kPhiloxLanes);  // the rest, overlapping what is there
}

/// Finish a row whose planned words are used up: rejected words are replaced, the result is completed and the
/// permutation is made the identity again.
void finish_row(const Subsampling& job, const Row& row, const Cursor& at, PhiloxKey key, std::uint32_t* permutation) {
    std::uint32_t step = at.step;
    for (std::uint32_t block = row.n_blocks; step < row.n_steps; ++block) {
        const PhiloxBlock b = philox(philox_counter(block, at.draw, std::uint64_t(job.items[at.item])), key);
        const std::uint32_t words[4] = {b.w0, b.w1, b.w2, b.w3};
        step += step_carefully(row, step, words, 4, permutation);
    }
    if (!row.keeps_taken) write_left_over(row, permutation);
    if (!row.keeps_taken || row.n_wanted >= row.n_members / 16) {
        reset(permutation, row.n_members);
    } else {  // what left its place is either before n_wanted or was taken from its own place
        for (std::uint32_t i = 0; i < row.n_wanted; ++i) {
            const auto member = std::uint32_t(row.out[i] - row.base);
            permutation[member] = member;
        }
        reset(permutation, row.n_wanted);
    }
}

void draw(const Subsampling& job, PhiloxKey key, std::int64_t first_row, std::int64_t last_row,
          std::uint32_t* permutation) {
    Counters counters;
    alignas(64) std::uint32_t words[4 * (kBlocks + kPhiloxBatch)];
    Cursor plan{first_row, first_row / job.n_draws, std::uint32_t(first_row % job.n_draws), 0, 0};
    Cursor at = plan;
    while (at.row < last_row) {
        const int n_blocks = plan_blocks(job, last_row, plan, counters);
        make_words(counters, n_blocks, key, words);
        for (int used = 0; at.row < last_row;) {
            const Row row = row_at(job, at);
            const std::uint32_t need = row.n_blocks - at.block;
            const int n = int(std::min<std::uint32_t>(need, std::uint32_t(n_blocks - used)));
            at.step += make_steps(row, at.step, words + 4 * used, 4 * n, permutation);
            at.block += std::uint32_t(n);
            used += n;
            if (std::uint32_t(n) < need) break;
            finish_row(job, row, at, key, permutation);
            at.next_row(job.n_draws);
        }
    }
}

}  // namespace

extern const SubsampleLoops loops_of_subsample;
const SubsampleLoops loops_of_subsample = {&draw};

}  // namespace CM_ISA
}  // namespace clustermass::ops
