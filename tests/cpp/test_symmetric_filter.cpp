#include "clustermass/math/symmetric_filter.hpp"

#include <cmath>

#include "check.hpp"

using namespace clustermass;

namespace {

constexpr double kTaps[] = {0.5, 0.2, 0.04, 0.01};

double x(std::int64_t i) { return std::sin(double(3 * i + 1)) + double(i); }

template <int N>
void test_matches_the_sum(std::int64_t reach) {
    double out[N];
    math::symmetric_filter(kTaps, reach, [](std::int64_t i) { return x(i); }, out);
    for (int j = 0; j < N; ++j) {
        double want = 0;
        for (std::int64_t k = -reach; k <= reach; ++k) want += kTaps[k < 0 ? -k : k] * x(j + k);
        CHECK(std::fabs(out[j] - want) < 1e-13);
    }
}

void test_reads_only_what_it_needs() {
    double out[4];
    std::int64_t low = 0, high = 0;
    const auto at = [&](std::int64_t i) {
        low = i < low ? i : low;
        high = i > high ? i : high;
        return 1.0;
    };
    math::symmetric_filter(kTaps, 3, at, out);
    CHECK(low == -3 && high == 6);
    for (const double value : out) CHECK(std::fabs(value - 1.0) < 1e-15);
}

}  // namespace

int main() {
    for (std::int64_t reach = 0; reach <= 3; ++reach) {
        test_matches_the_sum<1>(reach);
        test_matches_the_sum<4>(reach);
        test_matches_the_sum<8>(reach);
    }
    test_reads_only_what_it_needs();
    return test::failures();
}
