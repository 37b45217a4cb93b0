#include "clustermass/ops/project_gradient.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/ops/project_gradient_body.hpp"

using namespace clustermass;
using math::SphKernel;
using ops::Assignment;

namespace {

constexpr std::int64_t kRows = 31, kCols = 23;

/// Particles, a gradient by the image, and room for the results.
template <class Real>
struct Case {
    std::vector<Real> positions, weights, support, image, by_positions, by_weights;
    std::int64_t n, channels;

    Case(std::int64_t n_particles, std::int64_t n_channels) : n(n_particles), channels(n_channels) {
        std::mt19937_64 engine(7);
        std::uniform_real_distribution<double> place(-8, 40), weight(-2, 2), exponent(-2, 1.7);
        for (std::int64_t i = 0; i < n; ++i) {
            for (int axis = 0; axis < 3; ++axis) positions.push_back(Real(place(engine)));
            for (std::int64_t c = 0; c < channels; ++c) weights.push_back(Real(weight(engine)));
            support.push_back(Real(std::pow(10, exponent(engine))));
        }
        for (std::int64_t k = 0; k < channels * kRows * kCols; ++k) image.push_back(Real(weight(engine)));
        by_positions.assign(std::size_t(n * 3), Real(-7));
        by_weights.assign(std::size_t(n * channels), Real(-7));
    }
    ops::Particles<Real> particles(Assignment assignment) const {
        return {{positions.data(), n, 3},
                {weights.data(), n, channels},
                {support.data(), assignment == Assignment::sph ? n : 0}};
    }
    Stack<const Real> gradient() const { return {image.data(), channels, kRows, kCols}; }
    ops::ParticleGradients<Real> out() { return {{by_positions.data(), n, 3}, {by_weights.data(), n, channels}}; }
};

ops::ProjectParams params(Assignment assignment, SphKernel kernel) { return {assignment, kernel, 0.3, -1.2, 0.8}; }

template <class Real>
double largest_difference(const std::vector<Real>& a, const std::vector<Real>& b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(double(a[i]) - double(b[i])));
    return largest;
}

/// The CPU loops against the plain body: two forms of one definition.
template <class Real>
void test_the_cpu_loops_agree(double tolerance) {
    for (const std::int64_t channels : {1, 2, 3, 4, 6})
        for (const Assignment assignment : {Assignment::ngp, Assignment::cic, Assignment::tsc, Assignment::sph})
            for (const SphKernel kernel : {SphKernel::cubic_spline, SphKernel::wendland_c2}) {
                Case<Real> loops(600, channels), plain = loops;
                CHECK(ops::project_gradient<Real>(loops.particles(assignment), params(assignment, kernel),
                                                  loops.gradient(), {2}, loops.out()));
                const ops::ProjectGradientBody<Real> body(plain.particles(assignment), params(assignment, kernel),
                                                          plain.gradient(), plain.out());
                for (std::int64_t i = 0; i < plain.n; ++i) body(i);
                CHECK(largest_difference(loops.by_positions, plain.by_positions) < tolerance);
                CHECK(largest_difference(loops.by_weights, plain.by_weights) < tolerance);
            }
}

/// A kernel wider than what is summed: the samples outside the image are not even looked at.
void test_a_very_wide_kernel() {
    Case<double> loops(20, 2);
    std::fill(loops.support.begin(), loops.support.end(), 400.0);
    Case<double> plain = loops;
    const auto how = params(Assignment::sph, SphKernel::wendland_c2);
    CHECK(ops::project_gradient<double>(loops.particles(how.assignment), how, loops.gradient(), {1}, loops.out()));
    const ops::ProjectGradientBody<double> body(plain.particles(how.assignment), how, plain.gradient(), plain.out());
    for (std::int64_t i = 0; i < plain.n; ++i) body(i);
    CHECK(largest_difference(loops.by_positions, plain.by_positions) < 1e-14);
    CHECK(largest_difference(loops.by_weights, plain.by_weights) < 1e-14);
}

void test_results_that_are_not_wanted_are_left_alone() {
    Case<double> c(50, 2);
    const auto how = params(Assignment::cic, SphKernel::cubic_spline);
    CHECK(ops::project_gradient<double>(c.particles(how.assignment), how, c.gradient(), {1},
                                        {{nullptr, 0, 3}, {c.by_weights.data(), c.n, c.channels}}));
    CHECK(c.by_positions[0] == -7 && c.by_weights[0] != -7);
    CHECK_THROWS(ops::project_gradient<double>(c.particles(how.assignment), how, c.gradient(), {1},
                                               {{c.by_positions.data(), 49, 3}, {nullptr, 0, 0}}),
                 ArrayError);
}

void test_meaningless_values_are_refused_or_stay_in_place() {
    Case<double> c(300, 1);
    const auto how = params(Assignment::sph, SphKernel::cubic_spline);
    for (const double far : {1e300, -1e300, 9.2e18}) {
        c.positions[0] = far;
        CHECK(ops::project_gradient<double>(c.particles(how.assignment), how, c.gradient(), {1}, c.out()));
        CHECK(c.by_positions[0] == 0 && c.by_weights[0] == 0);
    }
    c.positions[899] = std::nan("");
    CHECK(!ops::project_gradient<double>(c.particles(how.assignment), how, c.gradient(), {1}, c.out()));
    c.positions[899] = 0;
    c.support[299] = -1;
    CHECK(!ops::project_gradient<double>(c.particles(how.assignment), how, c.gradient(), {1}, c.out()));
}

}  // namespace

int main() {
    test_the_cpu_loops_agree<double>(1e-11);
    test_the_cpu_loops_agree<float>(2e-4);
    test_a_very_wide_kernel();
    test_results_that_are_not_wanted_are_left_alone();
    test_meaningless_values_are_refused_or_stay_in_place();
    return test::failures();
}
