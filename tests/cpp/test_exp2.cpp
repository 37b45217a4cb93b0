#include "clustermass/math/exp2.hpp"

#include <cmath>

#include "check.hpp"

using namespace clustermass::math;

namespace {

void test_float_is_accurate_everywhere() {
    double worst = 0;
    for (int i = -(1 << 22); i <= 1 << 22; ++i) {  // every fraction of 23 bits
        const float x = float(i) * 0x1p-23f;
        worst = std::fmax(worst, std::fabs(double(exp2_plus_half(x)) / std::exp2(double(x) + 0.5) - 1));
    }
    CHECK(worst < 1.9e-7);
    CHECK(worst > 7e-8);  // the polynomial alone
}

void test_double_is_accurate() {
    double worst = 0;
    for (int i = -500'000; i <= 500'000; ++i) {
        const double x = i * 1e-6;
        worst = std::fmax(worst, std::fabs(exp2_near_zero(x) / std::exp2(x) - 1));
    }
    CHECK(worst < 4.5e-16);
    CHECK(exp2_near_zero(0.0) == 1.0);
}

}  // namespace

int main() {
    test_float_is_accurate_everywhere();
    test_double_is_accurate();
    return clustermass::test::failures();
}
