#include "clustermass_cuda/launch_math.hpp"

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

}  // namespace

int main() {
    test_blocks();
    test_products();
    test_workers();
    return test::failures();
}
