#include "clustermass/ops/project.hpp"

#include <cmath>
#include <initializer_list>
#include <limits>
#include <vector>

#include "check.hpp"
#include "clustermass/core/error.hpp"

using namespace clustermass;
using ops::Assignment;

namespace {

constexpr auto kAll = {Assignment::ngp, Assignment::cic, Assignment::tsc, Assignment::sph};

/// Particles that own their memory: positions over more than the image of 24 x 17 pixels, supports of 0 to 90 pixels.
template <class Real>
struct Cloud {
    std::int64_t n, dims, channels;
    std::vector<Real> positions, weights, support;

    Cloud(std::int64_t count, std::int64_t n_dims, std::int64_t n_channels)
        : n(count), dims(n_dims), channels(n_channels) {
        std::uint64_t state = 12345;
        const auto next = [&state] {
            state = state * 6364136223846793005u + 1442695040888963407u;
            return Real(state >> 40) / Real(1 << 24);
        };
        for (std::int64_t i = 0; i < n * dims; ++i) positions.push_back(40 * next() - 8);
        for (std::int64_t i = 0; i < n * channels; ++i) weights.push_back(next());
        for (std::int64_t i = 0; i < n; ++i) support.push_back(i % 97 ? 4 * next() * next() : 90 * next());
    }

    ops::Particles<Real> view(Assignment assignment) const {
        return {{positions.data(), n, dims},
                {weights.data(), n, channels},
                {support.data(), assignment == Assignment::sph ? n : 0}};
    }
};

constexpr ops::ProjectParams params(Assignment assignment) {
    return {assignment, math::SphKernel::cubic_spline, 0.0, 0.0, 1.0};
}

template <class Real>
std::vector<Real> image(const Cloud<Real>& cloud, const ops::ProjectParams& p, int n_threads, std::int64_t rows,
                        std::int64_t cols, bool expect_valid = true) {
    std::vector<Real> pixels(std::size_t(cloud.channels * rows * cols), Real(-1));
    const bool valid =
        ops::project<Real>(cloud.view(p.assignment), p, {n_threads}, {pixels.data(), cloud.channels, rows, cols});
    CHECK(valid == expect_valid);
    return pixels;
}

void test_threads_do_not_change_the_result() {
    for (const auto assignment : kAll) {
        const Cloud<double> cloud(200'000, 3, 4);
        const auto one = image(cloud, params(assignment), 1, 24, 17);
        for (const int n_threads : {2, 3, 8}) CHECK(image(cloud, params(assignment), n_threads, 24, 17) == one);
    }
}

template <class Real>
void test_mass_is_conserved(double tolerance) {
    for (const auto assignment : kAll)
        for (const std::int64_t channels : {1, 2, 3, 4, 5, 8, 64}) {
            const Cloud<Real> cloud(300, 2, channels);
            ops::ProjectParams p = params(assignment);
            p.origin_row = p.origin_col = -110;  // 256 pixels hold every kernel whole
            const auto pixels = image(cloud, p, 2, 256, 256);
            for (std::int64_t c = 0; c < channels; ++c) {
                double want = 0, got = 0;
                for (std::int64_t i = 0; i < cloud.n; ++i) want += double(cloud.weights[std::size_t(i * channels + c)]);
                for (std::int64_t k = 0; k < 256 * 256; ++k) got += double(pixels[std::size_t(c * 256 * 256 + k)]);
                CHECK(std::fabs(got / want - 1) < tolerance);
            }
        }
}

/// Every size of image and number of particles is written whole and stays inside its memory (for the sanitizers).
template <class Real>
void test_small_images_and_few_particles() {
    for (const auto assignment : kAll)
        for (const std::int64_t n : {0, 1, 127, 128, 129})
            for (const std::int64_t rows : {1, 2, 9})
                for (const std::int64_t cols : {1, 3, 16})
                    for (const Real pixel : image(Cloud<Real>(n, 2, 3), params(assignment), 1, rows, cols))
                        CHECK(pixel >= 0);
}

template <class Real>
void test_far_and_invalid_values() {
    const Real huge = std::numeric_limits<Real>::max(), nan = std::numeric_limits<Real>::quiet_NaN();
    for (const auto assignment : kAll) {
        Cloud<Real> cloud(5, 2, 1);
        cloud.positions = {huge, 1, 1, -huge, Real(1e30), Real(-1e30), -huge, huge, Real(3e9), Real(-3e9)};
        cloud.support = {1, Real(0.1), 0, 3, 40};
        for (const Real pixel : image(cloud, params(assignment), 1, 24, 17)) CHECK(pixel == 0);
        cloud.positions[3] = nan;
        image(cloud, params(assignment), 1, 24, 17, false);
        cloud.positions[3] = 1;
        cloud.weights[4] = std::numeric_limits<Real>::infinity();
        image(cloud, params(assignment), 1, 24, 17, false);
    }
    Cloud<Real> cloud(5, 2, 1);
    cloud.support[2] = -1;
    image(cloud, params(Assignment::sph), 1, 24, 17, false);
    cloud.support[2] = nan;
    image(cloud, params(Assignment::sph), 1, 24, 17, false);
    cloud.support[2] = huge;  // valid: a kernel so wide that nothing of it shows
    for (const Real pixel : image(cloud, params(Assignment::sph), 1, 24, 17)) CHECK(pixel >= 0);
}

void test_bad_parameters_are_refused() {
    const Cloud<double> cloud(3, 2, 1);
    std::vector<double> pixels(4);
    const Stack<double> out{pixels.data(), 1, 2, 2};
    const auto run = [&](const ops::ProjectParams& p, const Stack<double>& o) {
        return ops::project<double>(cloud.view(p.assignment), p, {1}, o);
    };
    ops::ProjectParams p = params(Assignment::cic);
    p.per_pixel = 0;
    CHECK_THROWS(run(p, out), DomainError);
    p.per_pixel = 1;
    p.origin_row = std::nan("");
    CHECK_THROWS(run(p, out), DomainError);
    CHECK_THROWS(run(params(Assignment::cic), (Stack<double>{pixels.data(), 1, 0, 2})), DomainError);
    CHECK_THROWS(run(params(Assignment::cic), (Stack<double>{pixels.data(), 2, 1, 2})), ArrayError);
}

}  // namespace

int main() {
    test_threads_do_not_change_the_result();
    test_mass_is_conserved<double>(1e-12);
    test_mass_is_conserved<float>(1e-5);
    test_small_images_and_few_particles<float>();
    test_small_images_and_few_particles<double>();
    test_far_and_invalid_values<float>();
    test_far_and_invalid_values<double>();
    test_bad_parameters_are_refused();
    return test::failures();
}
