#include "clustermass/ops/dispersion.hpp"

#include <cmath>
#include <vector>

#include "check.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/math/dispersion.hpp"

using namespace clustermass;

namespace {

bool close(double a, double b) { return std::fabs(a - b) <= 1e-13 * std::fabs(b); }

void test_terms() {
    CHECK(math::biweight_weight(0.0) == 1.0);
    CHECK(math::biweight_weight(0.25) == 0.5625);
    CHECK(math::biweight_weight(1.0) == 0.0);
    CHECK(math::biweight_weight(4.0) == 0.0);
    CHECK(math::biweight_square(3.0, 0.25) == 9.0 * 0.5625 * 0.5625);
    CHECK(math::biweight_slope(0.0) == 1.0);
    CHECK(math::biweight_slope(0.2) == 0.0);
    CHECK(math::biweight_slope(1.5) == 0.0);
    CHECK(close(math::gapper_scale(2, 1.0), std::sqrt(std::acos(-1.0)) / 2));
    CHECK(math::without_errors(5.0, 0.0) == 5.0);
    CHECK(math::without_errors(5.0, 9.0) == 4.0);
    CHECK(math::without_errors(5.0, 26.0) == 0.0);
    for (std::int64_t n = 1; n < 40; ++n) CHECK(math::quartile_rank(n) == std::int64_t(std::ceil(double(n) / 4)));
    CHECK(close(math::sigma_of_quartiles(1.349), 1.0));
}

struct Result {
    std::vector<double> sigma, location;
    std::vector<std::int64_t> n_used;
};

Result run(const std::vector<double>& v, const std::vector<std::int64_t>& offsets, const ops::DispersionRule& rule,
           bool& good, const std::vector<double>& error = {}) {
    const auto n = offsets.size() - 1;
    Result r{std::vector<double>(n), std::vector<double>(n), std::vector<std::int64_t>(n)};
    const auto size = std::int64_t(n);
    good = ops::velocity_dispersions<double>(
        {v.data(), std::int64_t(v.size())}, {offsets.data(), size + 1}, {error.data(), std::int64_t(error.size())},
        rule, {}, {{r.sigma.data(), size}, {r.location.data(), size}, {r.n_used.data(), size}});
    return r;
}

void test_small_clusters() {
    bool good = false;
    const std::vector<double> v{3, 1, 5, 7, 2, 2, 2};
    const std::vector<std::int64_t> offsets{0, 4, 4, 5, 7};
    Result r = run(v, offsets, {ops::Dispersion::std, 0, 5}, good);
    CHECK(good);
    CHECK(r.location[0] == 4 && close(r.sigma[0], std::sqrt(20.0 / 3)) && r.n_used[0] == 4);
    CHECK(std::isnan(r.sigma[1]) && r.n_used[1] == 0 && std::isnan(r.sigma[2]) && r.n_used[2] == 1);
    CHECK(r.sigma[3] == 0 && r.location[3] == 2);
    r = run(v, offsets, {ops::Dispersion::gapper, 0, 5}, good);
    CHECK(close(r.sigma[0], std::sqrt(std::acos(-1.0)) / 12 * (3 * 2 + 4 * 2 + 3 * 2)) && r.location[0] == 4);
    r = run(v, offsets, {ops::Dispersion::std, 0, 5}, good, {1, 1, 1, 1, 0, 3, 3});
    CHECK(close(r.sigma[0], std::sqrt(20.0 / 3 - 1)) && r.sigma[3] == 0);
}

void test_sizes_around_the_sort_of_few() {
    for (std::int64_t n = ops::kFew - 2; n < ops::kFew + 3; ++n) {
        std::vector<double> v(static_cast<std::size_t>(n));
        double exact = 0;
        for (std::int64_t i = 0; i < n; ++i) v[std::size_t(i)] = double((i * 7919) % n);  // a permutation of 0 .. n - 1
        for (std::int64_t i = 1; i < n; ++i) exact += double(i * (n - i));
        bool good = false;
        const Result r = run(v, {0, n}, {ops::Dispersion::gapper, 0, 5}, good);
        CHECK(good && close(r.sigma[0], math::gapper_scale(n, exact)));
        CHECK(r.location[0] == 0.5 * double(n - 1));
    }
}

void test_clipping_and_refusals() {
    std::vector<double> v(30, 0.0);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = double(i % 2 ? 1 : -1);
    v.push_back(1000);
    bool good = false;
    const std::vector<std::int64_t> offsets{0, 31};
    const Result r = run(v, offsets, {ops::Dispersion::std, 3, 5}, good);
    CHECK(good && r.n_used[0] == 30 && r.location[0] == 0 && close(r.sigma[0], std::sqrt(30.0 / 29)));
    v[3] = std::nan("");
    run(v, offsets, {ops::Dispersion::biweight, 0, 5}, good);
    CHECK(!good);
    v[3] = 1e101;
    run(v, offsets, {ops::Dispersion::std, 0, 5}, good);
    CHECK(!good);
    CHECK_THROWS(run(v, {0, 30}, {ops::Dispersion::std, 0, 5}, good), ArrayError);
    CHECK_THROWS(run(v, {0, 40, 31}, {ops::Dispersion::std, 0, 5}, good), DomainError);
    CHECK_THROWS(run(v, offsets, {ops::Dispersion::std, -1, 5}, good), DomainError);
}

void test_shifting_gapper() {
    std::vector<double> r, v;
    for (int i = 0; i < 25; ++i) r.push_back(0.01 * i), v.push_back(200.0 * (i - 12));
    v[24] = 6000;
    std::vector<std::uint8_t> keep(25, 7);
    const std::vector<std::int64_t> offsets{0, 25};
    const bool good = ops::shifting_gapper<double>({r.data(), 25}, {v.data(), 25}, {offsets.data(), 2}, {25, 5, 500},
                                                   {}, {keep.data(), 25});
    CHECK(good);
    for (int i = 0; i < 25; ++i) CHECK(keep[std::size_t(i)] == (i < 24));
    CHECK_THROWS(ops::shifting_gapper<double>({r.data(), 24}, {v.data(), 25}, {offsets.data(), 2}, {25, 5, 500}, {},
                                              {keep.data(), 25}),
                 ArrayError);
}

}  // namespace

int main() {
    test_terms();
    test_small_clusters();
    test_sizes_around_the_sort_of_few();
    test_clipping_and_refusals();
    test_shifting_gapper();
    return clustermass::test::failures();
}
