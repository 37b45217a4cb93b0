#include "clustermass/math/divergence.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/ops/divergence.hpp"

using namespace clustermass;

namespace {

/// A network that sorts all zeros and ones sorts everything (Knuth, 5.3.4).
void test_networks_on_zeros_and_ones() {
    for (int bits = 0; bits < 256; ++bits) {
        float low[4], high[4], all[8];
        for (int i = 0; i < 4; ++i) {
            low[i] = all[i] = float(bits >> i & 1);
            high[i] = all[4 + i] = float(bits >> (4 + i) & 1);
        }
        math::sort_four(low);
        CHECK(std::is_sorted(low, low + 4));
        math::sort_four(high);
        math::keep_smallest_four(low, high);
        std::sort(all, all + 8);
        CHECK(std::equal(low, low + 4, all));
    }
}

void test_insertion() {
    std::vector<double> best(3, INFINITY);
    for (const double v : {5.0, 2.0, 8.0, 2.0, 1.0}) math::insert_sorted(best.data(), 3, v);
    CHECK((best == std::vector<double>{1, 2, 2}));
}

void test_formulas() {
    // n = 3 points, m = 4: all nu = 2, all rho = 1: dims ln 2 + ln(4 / 2)
    const double ln2 = std::log(2.0);
    CHECK(std::abs(math::kl_divergence(3 * 2 * ln2, 0, 3, 4, 2) - 3 * ln2) < 1e-15);
    CHECK(math::kl_divergence(0, 3 * 2 * ln2, 3, 4, 2) == 0.0);
    CHECK(std::abs(std::sqrt(math::smallest_square(3)) / std::pow(1e-100, 1.0 / 3) - 1) < 1e-12);
    CHECK(std::abs(math::renyi_bias(0.5, 1) - std::log(1 / (0.5 * M_PI))) < 1e-14);  // Gamma(3/2) Gamma(1/2) = pi / 2
    // alpha -> 1 of the Renyi form is the KL form: log_mean = power x mean
    const double alpha = 1 + 1e-7, mean = 0.3;
    const double renyi =
        math::renyi_divergence(math::renyi_power(alpha, 2) * -mean, math::renyi_bias(alpha, 4), 10, 12, alpha);
    CHECK(std::abs(renyi - math::kl_divergence(10 * mean, 0, 10, 12, 2)) < 1e-6);
}

template <class Real>
void test_loops_find_the_kth_neighbour() {
    std::mt19937 random(1);
    std::normal_distribution<Real> normal;
    constexpr std::int64_t kQueries = 37, kStride = kQueries + ops::kNeighbourPadding;
    for (int dims = 1; dims <= 3; ++dims)
        for (const std::int64_t n : {4, 8, 52})
            for (const std::int64_t k : {1, 2, 3, 4, 5, 9}) {
                if (k > n) continue;
                std::vector<Real> queries(std::size_t(kStride * dims)), data(std::size_t(n * dims)), out(kStride),
                    scratch(std::size_t(64 * (k + 1)));
                for (auto& v : queries) v = normal(random);
                for (auto& v : data) v = normal(random);
                for (const Isa isa : {Isa::baseline, best_isa()}) {
                    ops::divergence_loops<Real>(isa).kth_squares(queries.data(), kStride, kQueries, data.data(), n,
                                                                 dims, k, scratch.data(), out.data());
                    for (std::int64_t i = 0; i < kQueries; ++i) {
                        std::vector<double> all;
                        for (std::int64_t j = 0; j < n; ++j) {
                            double sum = 0;
                            for (int a = 0; a < dims; ++a) {
                                const double d = double(queries[a * kStride + i]) - double(data[a * n + j]);
                                sum += d * d;
                            }
                            all.push_back(sum);
                        }
                        std::sort(all.begin(), all.end());
                        const double eps = std::numeric_limits<Real>::epsilon();
                        CHECK(std::abs(out[i] - all[k - 1]) <= 4 * eps * all[k - 1]);
                    }
                }
            }
}

void test_sum_of_logarithms() {
    for (const std::int64_t n : {1, 7, 8, 9, 50, 5000}) {
        std::vector<double> x(static_cast<std::size_t>(n));
        double want = 0;
        for (std::int64_t i = 0; i < n; ++i) {
            x[i] = i % 7 == 3 ? 0.0 : std::pow(10.0, double(i % 400) - 190);
            want += std::log(std::max(x[i], 1e-200));
        }
        for (const Isa isa : {Isa::baseline, best_isa()}) {
            const double got = ops::divergence_loops<double>(isa).sum_log(x.data(), n, 1e-200);
            CHECK(std::abs(got - want) <= 1e-13 * (1 + std::abs(want)));
        }
    }
}

void test_bad_calls_throw() {
    const std::vector<double> points(10, 1.0);
    const std::vector<std::int64_t> good{0, 5, 10}, small{0, 3, 10}, beyond{0, 11, 10};
    double out[4];
    const auto call = [&](const std::vector<std::int64_t>& offsets, std::int64_t k, double alpha) {
        const ops::PointSets<double> sets{{points.data(), 10, 1}, {offsets.data(), 3}};
        ops::divergences<double>(sets, sets, {k, alpha, true}, {}, {out, 2, 2});
    };
    call(good, 4, 1.0);
    CHECK_THROWS(call(good, 5, 1.0), ArrayError);
    CHECK_THROWS(call(small, 4, 1.0), ArrayError);
    CHECK_THROWS(call(beyond, 4, 1.0), ArrayError);
    CHECK_THROWS(call(good, 0, 1.0), DomainError);
    CHECK_THROWS(call(good, 4, 5.0), DomainError);
    CHECK_THROWS(call(good, 4, NAN), DomainError);
}

}  // namespace

int main() {
    test_networks_on_zeros_and_ones();
    test_insertion();
    test_formulas();
    test_loops_find_the_kth_neighbour<float>();
    test_loops_find_the_kth_neighbour<double>();
    test_sum_of_logarithms();
    test_bad_calls_throw();
    return test::failures();
}
