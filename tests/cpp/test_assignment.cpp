#include "clustermass/math/assignment.hpp"

#include <cmath>
#include <initializer_list>
#include <limits>

#include "check.hpp"

using namespace clustermass;

namespace {

template <int N, class Share>
void test_shares(const Share& share, bool keeps_the_centre) {
    for (const double x : {0.0, 0.25, 0.5, 0.75, std::nextafter(1.0, 0.0), 1.0, 17.3, -0.5, -3.9, 1e6 + 0.1}) {
        const math::AxisShare<N> s = share(x);
        double sum = 0, centre = 0;
        for (int k = 0; k < N; ++k) {
            CHECK(s.share[k] >= 0);
            sum += s.share[k];
            centre += s.share[k] * (s.first + k + 0.5);
        }
        CHECK(std::fabs(sum - 1) < 1e-15);
        CHECK(s.first == std::floor(s.first));
        if (keeps_the_centre) CHECK(std::fabs(centre - x) <= 1e-15 * (1 + std::fabs(x)));
    }
}

void test_known_values() {
    const auto ngp = math::ngp_share(2.0);  // an edge belongs to the pixel above it
    CHECK(ngp.first == 2);
    const auto cic = math::cic_share(2.5);  // the centre of a pixel: all in it
    CHECK(cic.first == 2 && cic.share[0] == 1 && cic.share[1] == 0);
    const auto corner = math::cic_share(2.0);
    CHECK(corner.first == 1 && corner.share[0] == 0.5 && corner.share[1] == 0.5);
    const auto tsc = math::tsc_share(2.5);
    CHECK(tsc.first == 1 && tsc.share[0] == 0.125 && tsc.share[1] == 0.75 && tsc.share[2] == 0.125);
}

void test_far_away_stays_floating() {
    CHECK(math::ngp_share(1e300).first == 1e300);
    CHECK(std::isnan(math::cic_share(std::numeric_limits<double>::quiet_NaN()).first));
}

/// Slopes against differences of the shares, away from the kinks; they sum to 0.
template <int N, class Share, class Slope>
void test_slopes(const Share& share, const Slope& slope) {
    constexpr double kStep = 1e-6;
    for (const double x : {0.1, 0.3, 0.7, 0.9, 17.3, -3.9}) {
        const math::AxisSlope<N> s = slope(x);
        const math::AxisShare<N> before = share(x - kStep), after = share(x + kStep);
        double sum = 0;
        for (int k = 0; k < N; ++k) {
            sum += s.slope[k];
            CHECK(std::fabs((after.share[k] - before.share[k]) / (2 * kStep) - s.slope[k]) < 1e-8);
        }
        CHECK(std::fabs(sum) < 1e-15);
    }
}

}  // namespace

int main() {
    test_shares<1>([](double x) { return math::ngp_share(x); }, false);
    test_shares<2>([](double x) { return math::cic_share(x); }, true);
    test_shares<3>([](double x) { return math::tsc_share(x); }, true);
    test_slopes<1>([](double x) { return math::ngp_share(x); }, [](double x) { return math::ngp_slope(x); });
    test_slopes<2>([](double x) { return math::cic_share(x); }, [](double x) { return math::cic_slope(x); });
    test_slopes<3>([](double x) { return math::tsc_share(x); }, [](double x) { return math::tsc_slope(x); });
    test_known_values();
    test_far_away_stays_floating();
    return test::failures();
}
