#include "clustermass/ops/project_body.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "clustermass/ops/project.hpp"

using namespace clustermass;
using math::SphKernel;
using ops::Assignment;

namespace {

/// Particles that own their memory, in pixels.
template <class Real>
struct Cloud {
    std::vector<Real> positions, weights, support;
    std::int64_t channels;

    ops::Particles<Real> view(Assignment assignment) const {
        const auto n = std::int64_t(support.size());
        return {{positions.data(), n, 2},
                {weights.data(), n, channels},
                {support.data(), assignment == Assignment::sph ? n : 0}};
    }
};

template <class Real>
Cloud<Real> one_particle(double row, double col, double support) {
    return {{Real(row), Real(col)}, {Real(1)}, {Real(support)}, 1};
}

/// A host loop over the body, and its accumulator: what is written outside the image is an error.
struct Image {
    std::int64_t rows, cols, channels;
    std::vector<double> sums;

    Image(std::int64_t n_rows, std::int64_t n_cols, std::int64_t n_channels = 1)
        : rows(n_rows), cols(n_cols), channels(n_channels), sums(std::size_t(n_rows * n_cols * n_channels), 0.0) {}

    template <class Real>
    Image& add(const Cloud<Real>& cloud, Assignment assignment, SphKernel kernel = SphKernel::cubic_spline,
               double origin = 0) {
        const auto into = [this](std::int64_t channel, std::int64_t row, std::int64_t col, double value) {
            const bool inside = channel >= 0 && channel < channels && row >= 0 && row < rows && col >= 0 && col < cols;
            CHECK(inside);
            if (inside) sums[std::size_t((channel * rows + row) * cols + col)] += value;
        };
        const ops::ProjectBody<Real, decltype(into)> body(cloud.view(assignment),
                                                          {assignment, kernel, origin, origin, 1.0}, rows, cols, into);
        for (std::int64_t i = 0; i < std::int64_t(cloud.support.size()); ++i) body(i);
        return *this;
    }
    double at(std::int64_t row, std::int64_t col) const { return sums[std::size_t(row * cols + col)]; }
    double total() const {
        double sum = 0;
        for (const double value : sums) sum += value;
        return sum;
    }
};

constexpr Assignment kAssignments[] = {Assignment::ngp, Assignment::cic, Assignment::tsc, Assignment::sph};
constexpr SphKernel kKernels[] = {SphKernel::cubic_spline, SphKernel::wendland_c2};
template <class Real>
constexpr double kMassError = sizeof(Real) == 4 ? 1e-5 : 1e-12;

template <class Real>
void test_mass_is_conserved_at_every_support() {
    for (const double support : {0.0, 0.02, 0.07, 0.3, 0.99, 1.0, 2.5, 7.0, 31.0, 33.0, 90.0})
        for (const SphKernel kernel : kKernels) {
            const auto cloud = one_particle<Real>(100.37, 99.81, support);
            CHECK(std::abs(Image(200, 200).add(cloud, Assignment::sph, kernel).total() - 1) < kMassError<Real>);
        }
    for (const Assignment assignment : {Assignment::ngp, Assignment::cic, Assignment::tsc})
        CHECK(std::abs(Image(9, 9).add(one_particle<Real>(4.2, 3.7, 0), assignment).total() - 1) < kMassError<Real>);
}

/// Wider than any support that is summed: the integral of the kernel takes the place of the sum.
void test_mass_of_a_very_wide_kernel() {
    const auto cloud = one_particle<double>(300.4, 299.7, 280.0);
    CHECK(std::abs(Image(600, 600).add(cloud, Assignment::sph).total() - 1) < 1e-12);
}

/// A small image is a window of a large one, whatever is cut at its edges.
void test_the_edge_clips_and_nothing_else() {
    for (const Assignment assignment : kAssignments)
        for (const double support : {0.03, 0.4, 3.0, 40.0})
            for (const double row : {-2.3, -0.5, 0.0, 0.2, 4.5, 8.999, 9.0, 9.6, 14.0}) {
                const auto cloud = one_particle<double>(row, 2.6, support);
                const Image small = Image(9, 7).add(cloud, assignment);
                const Image large = Image(59, 57).add(cloud, assignment, SphKernel::cubic_spline, -25);
                for (std::int64_t j = 0; j < 9; ++j)
                    for (std::int64_t k = 0; k < 7; ++k)
                        CHECK(std::abs(small.at(j, k) - large.at(j + 25, k + 25)) < 1e-13);  // position + 25 is rounded
            }
}

void test_shares_typed_out_by_hand() {
    const auto cloud = one_particle<double>(2.75, 1.5, 0);
    CHECK(Image(5, 5).add(cloud, Assignment::ngp).at(2, 1) == 1);
    const Image cic = Image(5, 5).add(cloud, Assignment::cic);
    CHECK(cic.at(2, 1) == 0.75 && cic.at(3, 1) == 0.25);
    const Image tsc = Image(5, 5).add(cloud, Assignment::tsc);
    CHECK(tsc.at(1, 0) == 0.03125 * 0.125 && tsc.at(2, 1) == 0.6875 * 0.75 && tsc.at(3, 2) == 0.28125 * 0.125);
    CHECK(Image(5, 5).add(cloud, Assignment::sph).at(2, 1) == 1);  // support 0: a point
}

void test_meaningless_values_stay_inside_the_image() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    for (const Assignment assignment : kAssignments)
        for (const double position : {1e300, -1e300, kInfinity, -kInfinity, kNaN, 9.2e18})
            for (const double support : {0.0, 0.5, 3.0, 1e300, kInfinity, kNaN, -1.0})
                Image(4, 3).add(one_particle<double>(position, 1.5, support), assignment);
}

template <class Real>
Cloud<Real> random_cloud(std::int64_t n, std::int64_t channels) {
    std::mt19937_64 engine(7);
    std::uniform_real_distribution<double> place(-20, 70), weight(0, 2), exponent(-2, 1.9);
    Cloud<Real> cloud{{}, {}, {}, channels};
    for (std::int64_t i = 0; i < n; ++i) {
        cloud.positions.push_back(Real(place(engine)));
        cloud.positions.push_back(Real(place(engine)));
        for (std::int64_t c = 0; c < channels; ++c) cloud.weights.push_back(Real(weight(engine)));
        cloud.support.push_back(Real(std::pow(10, exponent(engine))));
    }
    return cloud;
}

/// The blocked CPU loops against the plain body: two forms of one definition.
template <class Real>
void test_the_cpu_loops_agree(double tolerance) {
    for (const std::int64_t channels : {1, 2, 3, 4, 6})
        for (const Assignment assignment : kAssignments)
            for (const SphKernel kernel : kKernels) {
                const auto cloud = random_cloud<Real>(600, channels);
                const Image want = Image(50, 41, channels).add(cloud, assignment, kernel);
                std::vector<Real> got(want.sums.size());
                CHECK(ops::project<Real>(cloud.view(assignment), {assignment, kernel, 0, 0, 1}, {},
                                         {got.data(), channels, 50, 41}));
                double error = 0, peak = 0;
                for (std::size_t i = 0; i < got.size(); ++i) {
                    error = std::max(error, std::abs(double(got[i]) - want.sums[i]));
                    peak = std::max(peak, want.sums[i]);
                }
                CHECK(error <= tolerance * peak);
            }
}

}  // namespace

int main() {
    test_mass_is_conserved_at_every_support<float>();
    test_mass_is_conserved_at_every_support<double>();
    test_mass_of_a_very_wide_kernel();
    test_the_edge_clips_and_nothing_else();
    test_shares_typed_out_by_hand();
    test_meaningless_values_stay_inside_the_image();
    test_the_cpu_loops_agree<float>(6e-6);  // SMOOTH of tests/tolerances.py
    test_the_cpu_loops_agree<double>(1e-13);
    return test::failures();
}
