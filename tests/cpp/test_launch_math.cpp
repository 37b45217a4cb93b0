#include "clustermass_cuda/launch_math.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

#include "check.hpp"

using namespace clustermass;
using namespace clustermass::cuda;

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

void test_blocks() {
    CHECK(blocks_for(0) == 0);
    CHECK(blocks_for(1) == 1);
    CHECK(blocks_for(kThreadsPerBlock) == 1);
    CHECK(blocks_for(kThreadsPerBlock + 1) == 2);
    CHECK(blocks_for(std::int64_t(kMaxBlocks) * kThreadsPerBlock) == kMaxBlocks);
    CHECK(blocks_for(std::int64_t(kMaxBlocks) * kThreadsPerBlock + 1) == kMaxBlocks);
    CHECK(blocks_for((std::int64_t(1) << 32) + 1) == kMaxBlocks);  // does not wrap at 32 bits
    CHECK(blocks_for(kMost) == kMaxBlocks);                        // nor at 64
}

void test_products() {
    CHECK(checked_product("rows", 0, kMost) == 0);
    CHECK(checked_product("rows", kMost, 0) == 0);
    CHECK(checked_product("rows", kMost, 1) == kMost);
    CHECK(checked_product("rows", std::int64_t(1) << 31, std::int64_t(1) << 31) == std::int64_t(1) << 62);
    CHECK_THROWS(checked_product("rows", std::int64_t(1) << 32, std::int64_t(1) << 31), DomainError);
    CHECK_THROWS(checked_product("rows", kMost / 2 + 1, 2), DomainError);
    CHECK_THROWS(checked_product("rows", -1, 1), DomainError);
    CHECK_THROWS(checked_product("rows", 1, -1), DomainError);
}

void test_workers() {
    CHECK(subsample_workers(10, 100, 100) == 1);
    CHECK(subsample_workers(10, 100, 399) == 3);
    CHECK(subsample_workers(10, 100, 1'000'000) == 10);
    CHECK(subsample_workers(0, 100, 0) == 0);
    CHECK(subsample_workers(5, 0, 0) == 5);  // only empty items: no scratch is touched
    CHECK(subsample_workers(kMost, 1, kMost) == kMost);
    CHECK_THROWS(subsample_workers(1, 100, 99), DomainError);
    CHECK_THROWS(subsample_workers(1, 100, 0), DomainError);
}

void test_pieces() {
    constexpr std::int64_t kGiB = std::int64_t(1) << 30;
    CHECK(items_at_once(10, 100, kGiB) == 10);
    CHECK(items_at_once(1000, kGiB, 64 * kGiB) == 4);  // never more than 4 GiB
    CHECK(items_at_once(1000, kGiB, 6 * kGiB) == 3);   // nor more than half of what is free
    CHECK(items_at_once(1000, kGiB, kGiB) == 1);       // one must fit: the allocation says if it does not
    CHECK(items_at_once(0, kGiB, 64 * kGiB) == 1);
    CHECK(items_at_once(7, 0, 0) == 7);
    CHECK(items_at_once(kMost, 1, kMost) == kMaxPieceBytes);
}

void test_tiles() {
    CHECK(tiles_for(0, 10) == 1);
    CHECK(tiles_for(10, 10) == 1);
    CHECK(tiles_for(11, 10) == 2);
    CHECK(tiles_for(kMost, 2) == kMost / 2 + 1);
    CHECK(bits_for(1) == 0);
    CHECK(bits_for(2) == 1);
    CHECK(bits_for(257) == 9);
    CHECK(bits_for(std::int64_t(1) << 30) == 30);
    CHECK(bits_for((std::int64_t(1) << 30) + 1) == 31);
    for (int bits = 0; bits <= 31; ++bits) {
        CHECK(sort_passes(bits) % 2 == 0);
        CHECK(sort_passes(bits) * kSortBits >= bits);
        CHECK(sort_passes(bits) * kSortBits < bits + 2 * kSortBits);
    }
}

void test_warps() {
    CHECK(warps_per_view(0) > 0);
    CHECK(warps_per_view(1) == 1024);
    CHECK(warps_per_view(64) == 256);
    CHECK(warps_per_view(1'000'000) == 8);
    CHECK(bounds_blocks(0) == 0);
    CHECK(bounds_blocks(1) == 1);
    CHECK(bounds_blocks(kMost) == 512);
}

void test_lightcone_plan() {
    CHECK(plan_lightcone(0).n_slices == 0 && plan_lightcone(0).shares == 0);
    CHECK(plan_lightcone(1).slices == 64 && plan_lightcone(1).shares == 256);
    CHECK(plan_lightcone(10'000).slices == 13 && plan_lightcone(10'000).shares == 1 << 18);
    CHECK(plan_lightcone(10'000'000).slices == 4 && plan_lightcone(10'000'000).shares == 1 << 18);
    CHECK_THROWS(plan_lightcone(kMost), DomainError);
    for (const std::int64_t total : {std::int64_t(0), std::int64_t(5), std::int64_t(1000), kMost}) {
        CHECK(share_begin(total, 0, 7) == 0 && share_begin(total, 7, 7) == total);
        for (std::int64_t i = 0; i < 7; ++i) {
            const std::int64_t size = share_begin(total, i + 1, 7) - share_begin(total, i, 7);
            CHECK(size == total / 7 || size == total / 7 + 1);
        }
    }
}

void test_project_plan() {
    constexpr std::int64_t kShared = 227 * 1024;
    // Few particles: as many copies as are useful. 16 MiB of float64 images hold 36 of 4 x 120 x 120.
    CHECK(plan_project(0, 4, 120, 120, kShared, 132, -1).n_copies == 1);
    CHECK(plan_project(30'000, 4, 120, 120, kShared, 132, -1).n_copies == 2);
    CHECK(plan_project(10'000'000, 4, 120, 120, kShared, 132, -1).n_copies == 32);
    CHECK(plan_project(kMost, 64, 4096, 4096, kShared, 132, -1).n_copies == 1);
    CHECK(plan_project(kMost, 4, 65'536, 65'536, kShared, 132, -1).form == ProjectPlan::copies);
    // Very many: an image in shared memory, one channel of 120 x 120 at a time.
    const ProjectPlan tiles = plan_project(1'000'000'000, 4, 120, 120, kShared, 132, -1);
    CHECK(tiles.form == ProjectPlan::tiles);
    CHECK(tiles.n_copies == 1 && tiles.channels_each == 2 && tiles.n_groups == 2 && tiles.n_shares == 132);
    CHECK(tiles.shared_bytes == 2 * 120 * 120 * 8 && tiles.shared_bytes <= kShared);
    const ProjectPlan odd = plan_project(1, 5, 120, 120, kShared, 0, ProjectPlan::tiles);
    CHECK(odd.n_groups == 3 && odd.n_shares == 1);
    CHECK(plan_project(10, 1, 170, 170, kShared, 4, ProjectPlan::tiles).n_groups == 1);
    CHECK_THROWS(plan_project(10, 1, 171, 171, kShared, 4, ProjectPlan::tiles), DomainError);
    CHECK(plan_project(1'000'000'000, 4, 120, 120, kShared, 132, ProjectPlan::copies).form == ProjectPlan::copies);
    CHECK_THROWS(plan_project(1, 1, kMost, 2, kShared, 132, -1), DomainError);
}

void test_cells() {
    check_cells({{1, 1024, 3}, {0, -5, 0}, {1, 1, 1}, true});
    CHECK_THROWS(check_cells({{0, 1, 1}, {0, 0, 0}, {1, 1, 1}, true}), DomainError);
    CHECK_THROWS(check_cells({{1, 1025, 1}, {0, 0, 0}, {1, 1, 1}, true}), DomainError);
    CHECK_THROWS(check_cells({{1, 1, 1}, {0, 0, 0}, {1, 0, 1}, true}), DomainError);
    CHECK_THROWS(check_cells({{1, 1, 1}, {0, NAN, 0}, {1, 1, 1}, true}), DomainError);
    CHECK_THROWS(check_cells({{1, 1, 1}, {0, 0, 0}, {1, 1, NAN}, true}), DomainError);
}

}  // namespace

int main() {
    test_pieces();
    test_tiles();
    test_warps();
    test_lightcone_plan();
    test_project_plan();
    test_cells();
    test_blocks();
    test_products();
    test_workers();
    return test::failures();
}
