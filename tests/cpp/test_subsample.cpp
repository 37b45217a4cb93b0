#include "clustermass/ops/subsample.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "check.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/ops/subsample_body.hpp"

using namespace clustermass;

namespace {

const std::vector<Isa> kIsas = {Isa::baseline, Isa::avx2, Isa::avx512};
constexpr PhiloxKey kKey = {7, 8};

/// A batch that owns its memory: item i has sizes[i] members, draw d takes share (d + 1) / n_draws of them.
struct Batch {
    std::int64_t n_draws;
    std::vector<std::int64_t> offsets{0}, items, draw_offsets{0}, indices;

    Batch(const std::vector<std::int64_t>& sizes, std::int64_t draws) : n_draws(draws) {
        for (const std::int64_t n : sizes) {
            items.push_back(std::int64_t(items.size()) * 1'000'003);
            offsets.push_back(offsets.back() + n);
            for (std::int64_t d = 1; d <= draws; ++d) draw_offsets.push_back(draw_offsets.back() + n * d / draws);
        }
        indices.assign(std::size_t(draw_offsets.back()), -1);
    }

    ops::Subsampling job() {
        const auto size = [](const auto& v) { return std::int64_t(v.size()); };
        return {{offsets.data(), size(offsets)},
                {items.data(), size(items)},
                n_draws,
                {draw_offsets.data(), size(draw_offsets)},
                {indices.data(), size(indices)}};
    }

    std::int64_t n_rows() const { return std::int64_t(draw_offsets.size()) - 1; }
};

const std::vector<std::int64_t> kSizes = {0, 1, 2, 7, 8, 9, 63, 64, 65, 0, 511, 2000, 20'000, 3};

void test_every_instruction_set_gives_the_same_draws() {
    Batch want(kSizes, 40);
    std::vector<std::uint32_t> scratch(20'000 + ops::kPermutationPadding);
    std::iota(scratch.begin(), scratch.end(), 0u);
    ops::subsample_loops(Isa::baseline).draw(want.job(), kKey, 0, want.n_rows(), scratch.data());
    for (const Isa isa : kIsas) {
        if (isa > best_isa()) continue;
        Batch got(kSizes, 40);
        ops::subsample_loops(isa).draw(got.job(), kKey, 0, got.n_rows(), scratch.data());
        CHECK(got.indices == want.indices);
        for (std::uint32_t i = 0; i < 20'000; ++i) CHECK(scratch[i] == i);  // the identity again
    }
}

void test_rows_can_be_done_in_any_pieces() {
    Batch whole(kSizes, 5), pieces(kSizes, 5);
    std::vector<std::uint32_t> scratch(20'000 + ops::kPermutationPadding);
    std::iota(scratch.begin(), scratch.end(), 0u);
    const auto draw = ops::subsample_loops(best_isa()).draw;
    draw(whole.job(), kKey, 0, whole.n_rows(), scratch.data());
    for (std::int64_t row = pieces.n_rows() - 1; row >= 0; --row)
        draw(pieces.job(), kKey, row, row + 1, scratch.data());
    CHECK(whole.indices == pieces.indices);
}

void test_draws_have_no_repeats_and_stay_inside() {
    Batch batch(kSizes, 7);
    ops::subsample(batch.job(), 1, {2});
    for (std::int64_t row = 0; row < batch.n_rows(); ++row) {
        const std::int64_t item = row / 7;
        std::vector<std::int64_t> members(batch.indices.begin() + batch.draw_offsets[std::size_t(row)],
                                          batch.indices.begin() + batch.draw_offsets[std::size_t(row + 1)]);
        std::sort(members.begin(), members.end());
        CHECK(std::adjacent_find(members.begin(), members.end()) == members.end());
        if (members.empty()) continue;
        CHECK(members.front() >= batch.offsets[std::size_t(item)]);
        CHECK(members.back() < batch.offsets[std::size_t(item + 1)]);
    }
}

void test_threads_do_not_change_the_result() {
    Batch one(kSizes, 11);
    ops::subsample(one.job(), 5, {1});
    for (const int n_threads : {2, 3, 8}) {
        Batch many(kSizes, 11);
        ops::subsample(many.job(), 5, {n_threads});
        CHECK(many.indices == one.indices);
    }
}

/// The plain body that CUDA runs, one row at a time with a table of any content, against the batched loops. The large
/// item is there for its words: a few of its draws are rejected and replaced.
void test_the_body_gives_the_same_draws() {
    std::vector<std::int64_t> sizes = kSizes;
    sizes.push_back(5'000'011);
    Batch want(sizes, 3), got(sizes, 3);
    ops::subsample(want.job(), 9, {2});
    std::vector<std::uint32_t> scratch(5'000'011, 123u);
    const PhiloxKey key = philox_key(9, Stream::subsample);
    for (std::int64_t row = 0; row < got.n_rows(); ++row) ops::draw_row(got.job(), key, row, scratch.data());
    CHECK(got.indices == want.indices);
}

void test_bad_jobs_are_refused() {
    const auto refuses = [](auto change) {
        Batch batch({4, 6}, 2);
        ops::Subsampling job = batch.job();
        change(batch, job);
        CHECK_THROWS(ops::subsample(job, 1, {}), DomainError);
    };
    refuses([](Batch&, ops::Subsampling& job) { job.n_draws = 0; });
    refuses([](Batch&, ops::Subsampling& job) { job.n_draws = 3; });
    refuses([](Batch&, ops::Subsampling& job) { --job.offsets.size; });
    refuses([](Batch&, ops::Subsampling& job) { --job.indices.size; });
    refuses([](Batch& batch, ops::Subsampling&) { batch.draw_offsets[1] = 5; });    // more than the item has
    refuses([](Batch& batch, ops::Subsampling&) { batch.draw_offsets[1] = 100; });  // falls afterwards
    refuses([](Batch& batch, ops::Subsampling&) { batch.offsets[1] = 20; });
    refuses([](Batch& batch, ops::Subsampling&) { batch.offsets[2] = ops::kMaxMembers + 4; });
}

}  // namespace

int main() {
    test_every_instruction_set_gives_the_same_draws();
    test_rows_can_be_done_in_any_pieces();
    test_draws_have_no_repeats_and_stay_inside();
    test_threads_do_not_change_the_result();
    test_the_body_gives_the_same_draws();
    test_bad_jobs_are_refused();
    return test::failures();
}
