#include "clustermass/ops/noise.hpp"

#include <cstring>
#include <vector>

#include "check.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/math/normal.hpp"

using namespace clustermass;
using ops::noise_loops;

namespace {

const std::vector<Isa> kIsas = {Isa::baseline, Isa::avx2, Isa::avx512};
constexpr PhiloxKey kKey = {123, 456};
constexpr std::uint64_t kItem = 0x123456789abcdef0u;

template <class Real>
bool same_bits(const std::vector<Real>& a, const std::vector<Real>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(Real)) == 0;
}

/// One number at a time, from the element function.
float normal(std::int64_t element) {
    const PhiloxBlock b = philox(philox_counter(std::uint32_t(element / 4), 0, kItem), kKey);
    const math::NormalPair pair = element % 4 < 2 ? math::normal_pair(b.w0, b.w2) : math::normal_pair(b.w1, b.w3);
    return element % 2 == 0 ? pair.first : pair.second;
}

void test_every_instruction_set_gives_the_same_bits() {
    for (const std::int64_t first : {std::int64_t(0), std::int64_t(3), std::int64_t(1'000'001)}) {
        std::vector<float> single(3001, 1.5f);
        std::vector<double> twice(3001, 1.5);
        for (std::size_t i = 0; i < single.size(); ++i) {
            single[i] += 0.7f * normal(first + std::int64_t(i));
            twice[i] += 0.7 * double(normal(first + std::int64_t(i)));
        }
        for (const Isa isa : kIsas) {
            if (isa > best_isa()) continue;
            std::vector<float> f(3001, 1.5f);
            std::vector<double> d(3001, 1.5);
            noise_loops(isa).add_f32({f.data(), 3001}, 0.7f, kItem, first, kKey);
            noise_loops(isa).add_f64({d.data(), 3001}, 0.7, kItem, first, kKey);
            CHECK(same_bits(f, single));
            CHECK(same_bits(d, twice));
        }
    }
}

void test_nothing_beyond_the_values_is_touched() {
    for (const Isa isa : kIsas) {
        if (isa > best_isa()) continue;
        for (std::int64_t n = 0; n < 40; ++n) {
            std::vector<float> values(64, 0.0f);
            noise_loops(isa).add_f32({values.data() + 8, n}, 1.0f, kItem, 1, kKey);
            for (std::int64_t i = 0; i < 64; ++i) CHECK((values[std::size_t(i)] != 0) == (i >= 8 && i < 8 + n));
        }
    }
}

void test_threads_do_not_change_the_result() {
    const std::vector<double> sigma = {1.0, 0.0, 2.0};
    const std::vector<std::int64_t> items = {5, -7};
    std::vector<std::vector<double>> results;
    for (const int n_threads : {1, 2, 3, 8}) {
        std::vector<double> images(2 * 3 * 70'001, 0.0);
        ops::add_noise<double>({images.data(), 2, 3, 70'001}, {sigma.data(), 3}, {items.data(), 2}, 99, {n_threads});
        results.push_back(images);
    }
    for (const auto& result : results) CHECK(same_bits(result, results[0]));
    CHECK(results[0][70'001] == 0 && results[0][2 * 70'001] != 0);
}

void test_sigma_per_channel_is_checked() {
    std::vector<float> images(8, 0.0f);
    const std::vector<double> sigma = {1.0};
    const std::vector<std::int64_t> items = {0};
    CHECK_THROWS(ops::add_noise<float>({images.data(), 1, 2, 4}, {sigma.data(), 1}, {items.data(), 1}, 1, {}),
                 DomainError);
}

}  // namespace

int main() {
    test_every_instruction_set_gives_the_same_bits();
    test_nothing_beyond_the_values_is_touched();
    test_threads_do_not_change_the_result();
    test_sigma_per_channel_is_checked();
    return test::failures();
}
