#include "clustermass/math/sph_kernel.hpp"

#include <cmath>
#include <initializer_list>
#include <limits>

#include "check.hpp"

using namespace clustermass;

namespace {

constexpr double kPi = 3.14159265358979323846;

/// Integral over the plane of the kernel times b^(2 power), by the midpoint rule in t = 1 - b^2: db^2 = -dt.
double moment(const math::SphShape& shape, int power) {
    constexpr int kSteps = 200000;
    double sum = 0;
    for (int i = 0; i < kSteps; ++i) {
        const double t = (i + 0.5) / kSteps;
        sum += math::sph_value(shape.q, t) * std::pow(1 - t, power);
    }
    return kPi * sum / kSteps;
}

void test_integral_and_variance(math::SphKernel kernel, double variance) {
    const auto shape = math::sph_shape(kernel);
    CHECK(std::fabs(moment(shape, 0) / math::sph_integral(shape) - 1) < 1e-9);
    // Second moment per axis: half of that of b^2. The fit is good to 5e-4 of the central value.
    const double fitted = 0.5 * moment(shape, 1) / moment(shape, 0);
    CHECK(std::fabs(fitted / variance - 1) < 2e-3);
    CHECK(std::fabs(shape.broaden - 1 / (12 * variance)) < 1e-12);
}

void test_falls_to_zero_and_is_never_negative(math::SphKernel kernel) {
    const auto shape = math::sph_shape(kernel);
    double before = math::sph_value(shape.q, 1.0);
    for (int i = 1; i <= 1000; ++i) {
        const double b = i / 1000.0, value = math::sph_value(shape.q, 1 - b * b);
        CHECK(value >= 0 && value <= before);
        before = value;
    }
    CHECK(math::sph_value(shape.q, 0.0) == 0);
}

/// The kernel that is sampled has the variance of the kernel averaged over a part of a pixel: support^2 * variance
/// plus 1/12, in parts.
void test_sampling(math::SphKernel kernel, double variance) {
    const auto shape = math::sph_shape(kernel);
    for (const double support : {0.0626, 0.2, 0.5, 0.999, 1.0, 2.5, 40.0}) {
        const auto s = math::sph_sampling(shape, support);
        CHECK(s.split == (support >= 1 ? 1 : std::int64_t(std::ceil(1 / support))));
        const double in_parts = support * double(s.split);
        const double want = in_parts * in_parts * variance + 1.0 / 12;
        CHECK(std::fabs(s.support * s.support * variance / want - 1) < 1e-12);
        CHECK(in_parts >= 1);
    }
    for (const double point : {0.0, 0.0624, -1.0, std::numeric_limits<double>::quiet_NaN()})
        CHECK(math::sph_sampling(shape, point).split == 0);
}

void test_slope(math::SphKernel kernel) {
    const auto shape = math::sph_shape(kernel);
    constexpr double kStep = 1e-6;
    for (const double t : {0.0, 0.01, 0.3, 0.5, 0.8, 1.0}) {
        const math::SphSlope<double> s = math::sph_slope(shape.q, t);
        CHECK(std::fabs(s.value - math::sph_value(shape.q, t)) < 1e-15);
        const double after = math::sph_value(shape.q, t + kStep), before = math::sph_value(shape.q, t - kStep);
        CHECK(std::fabs((after - before) / (2 * kStep) - s.slope) < 1e-8);
    }
}

void test_kernel(math::SphKernel kernel, double variance) {
    test_integral_and_variance(kernel, variance);
    test_falls_to_zero_and_is_never_negative(kernel);
    test_sampling(kernel, variance);
    test_slope(kernel);
}

}  // namespace

int main() {
    test_kernel(math::SphKernel::cubic_spline, 0.075);
    test_kernel(math::SphKernel::wendland_c2, 1.0 / 15);
    return test::failures();
}
