#include "clustermass/math/uniform.hpp"

#include <initializer_list>

#include "check.hpp"

using namespace clustermass::math;

namespace {

/// Kept words are those whose product has a low half of at least 2^32 mod range: floor(2^32 / range) of each integer.
void test_rejection_is_exact_at_the_borders() {
    for (const std::uint32_t range : {1u, 2u, 3u, 5u, 1000u, 0x80000000u, 0x80000001u, 0xc0000000u, 0xffffffffu}) {
        const std::uint64_t excess = (std::uint64_t(1) << 32) % range;
        std::uint64_t word = 0;
        for (int i = 0; i < 2000; ++i, word += 2'147'001) {
            const auto w = static_cast<std::uint32_t>(word);
            const std::uint64_t product = std::uint64_t(w) * range;
            std::uint32_t value = 0;
            const bool kept = bounded_integer(w, range, value);
            CHECK(kept == ((product & 0xffffffffu) >= excess));
            CHECK(value == product >> 32);
            CHECK(value < range);
        }
    }
}

/// x with x * odd = 1 modulo 2^32: every Newton step doubles the number of right bits.
std::uint32_t inverse(std::uint32_t odd) {
    std::uint32_t x = odd;
    for (int i = 0; i < 5; ++i) x *= 2u - odd * x;
    return x;
}

void test_first_word_kept_and_last_word_thrown_away() {
    for (const std::uint32_t range : {3u, 5u, 1001u, 99'999'999u, 0x80000001u, 0xffffffffu}) {
        const auto excess = static_cast<std::uint32_t>((std::uint64_t(1) << 32) % range);
        std::uint32_t value = 0;
        CHECK(bounded_integer(excess * inverse(range), range, value));
        CHECK(!bounded_integer((excess - 1) * inverse(range), range, value));
    }
}

/// Just above 2^31 almost half of the words are thrown away.
void test_large_range_rejects_the_right_share() {
    constexpr std::uint32_t kRange = 0x80000001u;
    std::int64_t kept = 0, tried = 0;
    for (std::uint64_t word = 0; word < (std::uint64_t(1) << 32); word += 65'537) {
        std::uint32_t value = 0;
        kept += bounded_integer(static_cast<std::uint32_t>(word), kRange, value);
        ++tried;
    }
    const double share = double(kept) / double(tried);
    CHECK(share > 0.49 && share < 0.51);
}

void test_unit_interval() {
    CHECK(unit_interval(0, 0) == 0.0);
    CHECK(unit_interval(0, 64) == 0x1p-53);
    CHECK(unit_interval(0x80000000u, 0) == 0.5);
    CHECK(unit_interval(0xffffffffu, 0xffffffffu) == 1.0 - 0x1p-53);
}

}  // namespace

int main() {
    test_rejection_is_exact_at_the_borders();
    test_first_word_kept_and_last_word_thrown_away();
    test_large_range_rejects_the_right_share();
    test_unit_interval();
    return clustermass::test::failures();
}
