#include "clustermass/ops/kde_gradient.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/math/kde_gradient.hpp"

using namespace clustermass;

namespace {

/// tr(M (A + step E)^-1) / -2 and log det(A) / -2, whose derivative by A is what `by_covariance` gives.
double number(const double* covariance, const double* moments, double volume, int dims) {
    const math::KernelShape shape = math::invert(covariance, dims);
    return -0.5 * math::contract(moments, shape.precision, dims) - volume * std::log(shape.width);
}

void test_by_covariance(int dims) {
    const double covariance[9] = {2.0, 0.3, -0.4, 0.3, 1.5, 0.2, -0.4, 0.2, 1.1};
    const double moments[9] = {0.7, -0.2, 0.1, -0.2, 1.9, 0.6, 0.1, 0.6, -0.8};
    double by[9] = {};
    math::by_covariance(math::invert(covariance, dims).precision, moments, 0.9, dims, by);
    constexpr double kStep = 1e-6;
    for (int a = 0; a < dims; ++a)
        for (int b = 0; b <= a; ++b) {
            double up[9], down[9];
            for (int i = 0; i < 9; ++i) up[i] = down[i] = covariance[i];
            up[3 * a + b] += kStep;
            down[3 * a + b] -= kStep;
            if (a != b) up[3 * b + a] += kStep;
            if (a != b) down[3 * b + a] -= kStep;
            const double slope = (number(up, moments, 0.9, dims) - number(down, moments, 0.9, dims)) / (2 * kStep);
            CHECK(std::fabs(slope - (a == b ? 1 : 2) * by[3 * a + b]) < 1e-7);
            CHECK(std::fabs(by[3 * a + b] - by[3 * b + a]) < 1e-14);
        }
}

/// Points, weights, a grid and a gradient by it; `estimate` and its derivative by differences.
struct Case {
    std::vector<double> points, weights, axes, gradient;
    std::int64_t n, dims, cells;
    ops::KdeRule rule;
    std::vector<std::int64_t> offsets;

    Case(std::int64_t n_points, std::int64_t n_dims, ops::KdeRule how)
        : n(n_points), dims(n_dims), cells(1), rule(how), offsets{0, n_points} {
        std::mt19937_64 engine(11);
        std::normal_distribution<double> place(0, 2);
        std::uniform_real_distribution<double> weight(0.2, 2);
        for (std::int64_t i = 0; i < n * dims; ++i) points.push_back(place(engine));
        for (std::int64_t i = 0; i < n; ++i) weights.push_back(weight(engine));
        for (std::int64_t a = 0; a < dims; ++a) {
            const double n_axis = double(7 + a);
            axes.insert(axes.end(), {-4.0, 8.0 / n_axis, n_axis});
            cells *= 7 + a;
        }
        for (std::int64_t k = 0; k < cells; ++k) gradient.push_back(place(engine));
    }
    double value() const {
        std::vector<double> grid(std::size_t(cells), 0.0);
        CHECK(ops::estimate_density<double>({points.data(), n, dims}, {offsets.data(), 2}, {weights.data(), n},
                                            {axes.data(), dims, 3}, rule, {1}, {grid.data(), 1, cells}));
        double sum = 0;
        for (std::size_t k = 0; k < grid.size(); ++k) sum += grid[k] * gradient[k];
        return sum;
    }
    double slope(double& at) {
        constexpr double kStep = 1e-5;
        const double before = at;
        at = before + kStep;
        const double up = value();
        at = before - kStep;
        const double down = value();
        at = before;
        return (up - down) / (2 * kStep);
    }
};

void test_against_differences(std::int64_t dims, math::Bandwidth bandwidth, ops::KdeNormalise normalise) {
    Case c(9, dims, {bandwidth, 0.6, {nullptr, 0}, normalise});
    std::vector<double> by_points(c.points.size()), by_weights(c.weights.size());
    CHECK(ops::differentiate_density<double>(
        {c.points.data(), c.n, dims}, {c.offsets.data(), 2}, {c.weights.data(), c.n}, {c.axes.data(), dims, 3}, c.rule,
        {c.gradient.data(), 1, c.cells}, {1}, {by_points.data(), c.n, dims}, {by_weights.data(), c.n}));
    const double size = normalise == ops::KdeNormalise::none ? 30 : 1;  // of the numbers
    for (std::size_t i = 0; i < c.points.size(); ++i)
        CHECK(std::fabs(c.slope(c.points[i]) - by_points[i]) < 1e-7 * size);
    for (std::size_t i = 0; i < c.weights.size(); ++i)
        CHECK(std::fabs(c.slope(c.weights[i]) - by_weights[i]) < 1e-7 * size);
}

void test_bad_input() {
    Case c(9, 2, {math::Bandwidth::fixed, 0.5, {nullptr, 0}, ops::KdeNormalise::sum});
    std::vector<double> by(c.points.size());
    const auto run = [&](std::int64_t rows) {
        return ops::differentiate_density<double>({c.points.data(), c.n, 2}, {c.offsets.data(), 2},
                                                  {c.weights.data(), c.n}, {c.axes.data(), 2, 3}, c.rule,
                                                  {c.gradient.data(), 1, c.cells}, {1}, {by.data(), rows, 2}, {});
    };
    CHECK(run(9) && run(0));
    CHECK_THROWS(run(8), ArrayError);
    c.points[3] = std::nan("");
    CHECK(!run(9));
}

}  // namespace

int main() {
    for (const int dims : {1, 2, 3}) {
        test_by_covariance(dims);
        for (const auto bandwidth : {math::Bandwidth::fixed, math::Bandwidth::scott, math::Bandwidth::silverman})
            for (const auto normalise : {ops::KdeNormalise::sum, ops::KdeNormalise::density, ops::KdeNormalise::none})
                test_against_differences(dims, bandwidth, normalise);
    }
    test_bad_input();
    return test::failures();
}
