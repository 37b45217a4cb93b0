#include "clustermass/math/normal.hpp"

#include <cmath>
#include <initializer_list>

#include "check.hpp"

using namespace clustermass::math;

namespace {

constexpr std::uint32_t kLargest = 0xffffffffu;

void test_radius_is_accurate_over_its_whole_range() {
    double worst = 0;
    const auto look = [&](std::uint32_t h) {
        const double exact = std::sqrt(-2 * std::log((h + 0.5) * 0x1p-31));
        worst = std::fmax(worst, std::fabs(double(normal_radius(h << 1)) / exact - 1));
    };
    for (std::uint32_t h = 0; h < 100'000; ++h) look(h);
    for (std::uint32_t h = 0; h < 0x7fff0000u; h += 9973) look(h);
    for (std::uint32_t h = 0x7fffffffu - 100'000; h < 0x80000000u; ++h) look(h);
    CHECK(worst < 1.6e-7);
}

void test_radius_at_the_ends() {
    CHECK(std::fabs(normal_radius(0) - 6.6604f) < 1e-4f);
    CHECK(normal_radius(kLargest) > 0);
    CHECK(normal_radius(kLargest) < 3e-5f);
}

void test_direction_is_accurate_and_goes_round_once() {
    constexpr double kQuarter = 0.78539816339744830962;
    const double radius = normal_radius(1u << 20);
    double worst = 0;
    for (std::uint64_t word = 0; word <= kLargest; word += 20'011) {
        const auto w = static_cast<std::uint32_t>(word);
        const double angle = kQuarter * double(static_cast<std::int32_t>((w << 2) | 2u)) * 0x1p-31;
        const double along = (w & 0x40000000u) ? -std::cos(angle) : std::cos(angle), across = std::sin(angle);
        const NormalPair pair = normal_pair(1u << 20, w);
        const bool swapped = (w & 0x80000000u) != 0;
        worst = std::fmax(worst, std::fabs(pair.first / radius / (swapped ? across : along) - 1));
        worst = std::fmax(worst, std::fabs(pair.second / radius / (swapped ? along : across) - 1));
    }
    CHECK(worst < 3.1e-7);  // direction 2.4e-7, rounding of the product 0.6e-7
}

void test_no_number_is_zero_or_beyond_the_bound() {
    for (const std::uint32_t r : {0u, 1u, 0x80000000u, kLargest}) {
        for (const std::uint32_t a : {0u, 0x3fffffffu, 0x20000000u, 0x1fffffffu, 0x80000000u, kLargest}) {
            const NormalPair pair = normal_pair(r, a);
            CHECK(pair.first != 0 && pair.second != 0);
            CHECK(std::fabs(pair.first) < 6.67f && std::fabs(pair.second) < 6.67f);
        }
    }
}

}  // namespace

int main() {
    test_radius_is_accurate_over_its_whole_range();
    test_radius_at_the_ends();
    test_direction_is_accurate_and_goes_round_once();
    test_no_number_is_zero_or_beyond_the_bound();
    return clustermass::test::failures();
}
