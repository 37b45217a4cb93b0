#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "check.hpp"
#include "clustermass/ops/project.hpp"
#include "clustermass_cuda/launch_math.hpp"
#include "clustermass_cuda/ops.hpp"

/// The CUDA launchers over host memory, against the CPU ops. Run under the sanitizers, this finds what writes outside
/// its arrays or meets another block without an atomic.
using namespace clustermass;

namespace {

const cuda::Queue kQueue{0, nullptr};

bool are_close(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
    double error = 0, size = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        error += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return a.size() == b.size() && size > 0 && std::sqrt(error / size) <= tolerance;
}

void test_project() {
    constexpr std::int64_t n = 20'000, channels = 3, rows = 31, cols = 22, size = channels * rows * cols;
    std::mt19937_64 random(3);
    std::normal_distribution<double> place(15, 8);
    std::uniform_real_distribution<double> uniform(0, 2);
    std::vector<double> positions(3 * n), weights(channels * n), support(n);
    for (auto& p : positions) p = place(random);
    for (auto& w : weights) w = uniform(random);
    for (auto& s : support) s = uniform(random);
    for (int assignment = 0; assignment < 4; ++assignment) {
        const ops::Particles<double> particles{
            {positions.data(), n, 3}, {weights.data(), n, channels}, {support.data(), assignment == 3 ? n : 0}};
        const ops::ProjectParams params{ops::Assignment(assignment), math::SphKernel::cubic_spline, 0.25, -1.5, 0.9};
        std::vector<double> expected(size), image(size, -7);
        CHECK(ops::project<double>(particles, params, {1, {}}, {expected.data(), channels, rows, cols}));
        for (int form = -1; form < 2; ++form) {
            std::vector<double> scratch(std::size_t(cuda::project_scratch(n, channels, rows, cols, form, 0)), -7);
            cuda::project<double>(particles, params, form, kQueue, {scratch.data(), std::int64_t(scratch.size())},
                                  {image.data(), channels, rows, cols});
            CHECK(are_close(image, expected, 1e-13));
        }
        CHECK_THROWS(
            cuda::project<double>(particles, params, -1, kQueue, {nullptr, 0}, {image.data(), channels, rows, cols}),
            ArrayError);
    }
}

void test_memory() {
    std::vector<unsigned char> from(10'000), to(10'000), back(10'000);
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<unsigned char>(i * 37);
    const auto n = std::int64_t(from.size());
    cuda::upload({to.data(), n}, from.data(), kQueue);
    CHECK(to == from);
    cuda::download({back.data(), n}, to.data(), kQueue);
    CHECK(back == from);
}

}  // namespace

int main() {
    test_project();
    test_memory();
    return test::failures();
}
