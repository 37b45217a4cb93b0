#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "check.hpp"
#include "clustermass/ops/beam.hpp"
#include "clustermass/ops/lightcone.hpp"
#include "clustermass/ops/noise.hpp"
#include "clustermass/ops/project.hpp"
#include "clustermass_cuda/launch_math.hpp"
#include "clustermass_cuda/ops.hpp"
#include "clustermass_cuda/sort.hpp"

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

void test_scan_and_sort() {
    std::mt19937_64 random(5);
    for (const std::int64_t n : {0, 1, 255, 2048, 2049, 4096, 4097, 70'000, 5'000'000}) {
        const auto count = static_cast<std::size_t>(n);
        std::vector<std::int64_t> values(count), expected(count), scratch(std::size_t(cuda::scan_scratch(n)));
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            values[i] = std::int64_t(random() % 1000) - 300;
            expected[i] = sum;
            sum += values[i];
        }
        cuda::exclusive_scan(values.data(), n, scratch.data(), kQueue, "test");
        CHECK(values == expected);
    }
    for (const std::int64_t n : {1, 16, 4095, 4097, 30'000})
        for (const int bits : {0, 1, 5, 8, 9, 17, 31}) {
            const auto count = static_cast<std::size_t>(n);
            std::vector<std::uint32_t> keys(count), other(count);
            std::vector<std::int64_t> order(keys.size()), other_order(keys.size()),
                scratch(std::size_t(cuda::sort_scratch(n)));
            for (std::size_t i = 0; i < keys.size(); ++i) {
                keys[i] = std::uint32_t(random() & ((std::uint64_t(1) << bits) - 1));
                order[i] = std::int64_t(i);
            }
            std::vector<std::int64_t> expected = order;
            const std::vector<std::uint32_t> given = keys;
            std::stable_sort(expected.begin(), expected.end(), [&](std::int64_t a, std::int64_t b) {
                return given[std::size_t(a)] < given[std::size_t(b)];
            });
            cuda::sort_by_key({keys.data(), other.data(), order.data(), other_order.data(), n}, bits, scratch.data(),
                              kQueue, "test");
            CHECK(order == expected);
            CHECK(std::is_sorted(keys.begin(), keys.end()));
        }
}

/// What came from the device and was checked by nobody must not hang or write outside: such a view is NaN.
void test_views_that_are_none() {
    const double nan = std::nan(""), centre[3] = {1, 1, 1}, far[3] = {1e300, nan, 0};
    const double axes[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, bad_axes[9] = {nan, 0, 0, 0, 1e9, 0, 0, 0, 1};
    const double sizes[4] = {0.5, 1e-300, -1, 1e300};
    const double at = 1.0, weight = 2.0;
    const std::int64_t start[2] = {0, 1};
    const ops::ParticleIndex<const double> index{{{1, 1, 1}, {0, 0, 0}, {2, 2, 2}, true},
                                                 {&at, 1},
                                                 {&at, 1},
                                                 {&at, 1},
                                                 {&weight, 1, 1},
                                                 {nullptr, 0},
                                                 {start, 2}};
    const ops::ViewsParams params{ops::Assignment::ngp, math::SphKernel::cubic_spline, 1, 0, false};
    const auto image_of = [&](const double* c, const double* r, const double* size) {
        std::vector<double> image(16, -7);
        cuda::project_views<double, double>(index, {c, r, size, 1, 1}, params, 4, 4, kQueue, {nullptr, 0},
                                            image.data());
        return image;
    };
    const std::vector<double> good = image_of(centre, axes, sizes);
    CHECK(good[4 * 2 + 2] == 2.0 && good[0] == 0.0);
    for (const auto& image :
         {image_of(far, axes, sizes), image_of(centre, bad_axes, sizes), image_of(centre, axes, sizes + 1),
          image_of(centre, axes, sizes + 2), image_of(centre, axes, sizes + 3)})
        for (const double value : image) CHECK(std::isnan(value) || value == 0.0 || value == 2.0);
    CHECK(std::isnan(image_of(centre, bad_axes, sizes)[5]));
}

/// Sums as a matrix product and term by term.
void test_kde_forms() {
    std::mt19937_64 random(11);
    std::normal_distribution<double> normal;
    const std::int64_t offsets[4] = {0, 70, 70, 151};
    for (const std::int64_t dims : {1, 2, 3}) {
        std::vector<double> points(std::size_t(151 * dims)), weights(151);
        for (auto& p : points) p = normal(random);
        for (std::size_t i = 1; i < points.size(); ++i) points[i] += 0.6 * points[i - 1];  // axes that are correlated
        for (auto& w : weights) w = std::fabs(normal(random));
        const double axes[9] = {-2, 0.5, 9, -2.2, 0.3, 14, -1, 0.4, 6};
        const std::int64_t cells = dims == 1 ? 9 : dims == 2 ? 9 * 14 : 9 * 14 * 6;
        const ops::KdeRule rule{math::Bandwidth::scott, 0, {nullptr, 0}, ops::KdeNormalise::density};
        const auto grids_of = [&](int form) {
            std::vector<double> grids(std::size_t(3 * cells), -7);
            cuda::estimate_density<double>({points.data(), 151, dims}, offsets, weights.data(), axes, rule, form,
                                           kQueue, {nullptr, 0}, {grids.data(), 3, cells});
            return grids;
        };
        CHECK(are_close(grids_of(-1), grids_of(0), 1e-13));
    }
    const std::int64_t n[3] = {48, 1, 48}, large[3] = {65'536, 1, 65'536}, cube[3] = {50, 50, 50};
    CHECK(cuda::plan_kde(n, 4, 4, -1).points == 64 && cuda::plan_kde(n, 4, 4, -1).row == 97);
    CHECK(cuda::plan_kde(n, 4, 4, 0).points == 0);
    CHECK(cuda::plan_kde(large, 4, 4, -1).points == 0);
    CHECK(cuda::plan_kde(cube, 4, 4, -1).row == 52 + 50 + 52);
    CHECK(cuda::plan_kde(cube, 4, 4, -1).points * 154 * 8 <= 65'536);
}

void test_index() {
    constexpr std::int64_t n = 9000, channels = 2;
    std::mt19937_64 random(17);
    std::uniform_real_distribution<float> place(-10, 30);
    std::vector<float> positions(3 * n), weights(channels * n), support(n);
    for (auto* values : {&positions, &weights, &support})
        for (auto& v : *values) v = std::fabs(place(random));
    const ops::Particles<float> particles{{positions.data(), n, 3}, {weights.data(), n, channels}, {support.data(), n}};
    const ops::CellGrid cells{{9, 7, 11}, {0, 0, 0}, {2, 3, 1.75}, true};
    struct Held {
        std::vector<float> x, y, z, w, h;
        std::vector<std::int64_t> start;
        ops::ParticleIndex<float, std::int64_t> view(const ops::CellGrid& grid) {
            for (auto* values : {&x, &y, &z, &h}) values->resize(n);
            w.resize(channels * n);
            start.resize(std::size_t(grid.count() + 1));
            return {grid,
                    {x.data(), n},
                    {y.data(), n},
                    {z.data(), n},
                    {w.data(), n, channels},
                    {h.data(), n},
                    {start.data(), grid.count() + 1}};
        }
    } host, device;
    CHECK(ops::build_index<float>(particles, {1, {}}, host.view(cells)));
    std::vector<std::uint64_t> scratch(std::size_t(cuda::index_scratch(n) / 8));
    auto* const memory = reinterpret_cast<unsigned char*>(scratch.data());
    cuda::build_index<float>(particles, {memory, cuda::index_scratch(n)}, kQueue, device.view(cells));
    CHECK(host.x == device.x && host.y == device.y && host.z == device.z && host.w == device.w && host.h == device.h);
    CHECK(host.start == device.start);
    CHECK_THROWS(cuda::build_index<float>(particles, {memory, 8}, kQueue, device.view(cells)), ArrayError);

    std::vector<double> room(6 * 512);
    const std::vector<double> found = cuda::bounds<float>(particles.positions, {room.data(), 6 * 512}, kQueue);
    CHECK(found.size() == 6);
    for (std::size_t axis = 0; axis < 3; ++axis) {
        float low = 1e9f, high = -1e9f;
        for (std::size_t i = axis; i < positions.size(); i += 3) {
            low = std::min(low, positions[i]);
            high = std::max(high, positions[i]);
        }
        CHECK(found[axis] == double(low) && found[3 + axis] == double(high));
    }
}

void test_images() {
    constexpr std::int64_t items = 6, rows = 13, cols = 10, size = items * rows * cols;
    std::mt19937_64 random(19);
    std::normal_distribution<double> normal;
    std::vector<double> images(size), expected(size), found(size), scratch(2 * rows * cols);
    for (auto& v : images) v = normal(random);
    const double taps[8] = {0.4, 0.2, 0.08, 0.02, 1, 0, 0, 0};
    const std::int64_t reach[2] = {3, 0};
    const Stack<const double> in{images.data(), items, rows, cols};
    CHECK(ops::convolve_beam<double>(in, {taps, 2, 4}, {reach, 2}, 0, {1, {}}, {expected.data(), items, rows, cols}));
    cuda::convolve_beam<double>(in, {taps, 2, 4}, reach, 0, kQueue, {scratch.data(), 2 * rows * cols}, found.data());
    CHECK(are_close(found, expected, 1e-14));
    std::vector<double> cut(std::size_t(items * 7 * 4), -7);
    cuda::convolve_beam<double>(in, {taps, 2, 4}, reach, 3, kQueue, {scratch.data(), 2 * rows * cols}, cut.data());
    for (std::int64_t i = 0; i < items; ++i)
        CHECK(std::fabs(cut[std::size_t(i * 28)] - found[std::size_t(i * 130 + 33)]) < 1e-14);

    const double sigma[2] = {0.5, 0};
    const std::int64_t keys[3] = {7, -1, std::int64_t(1) << 40};
    expected = images;
    ops::add_noise<double>({expected.data(), 3, 2, rows * cols}, {sigma, 2}, {keys, 3}, 5, {1, {}});
    cuda::add_noise<double>(images.data(), sigma, keys, 5, kQueue, {found.data(), 3, 2, rows * cols});
    CHECK(found == expected);
}

void test_draws() {
    const std::int64_t offsets[4] = {0, 50, 50, 90}, keys[3] = {3, 4, 5};
    const std::int64_t draws[7] = {0, 20, 55, 55, 55, 56, 96};
    std::vector<std::int64_t> expected(96), found(96);
    const auto job = [&](std::vector<std::int64_t>& out) {
        return ops::Subsampling{{offsets, 4}, {keys, 3}, 2, {draws, 7}, {out.data(), 96}};
    };
    ops::subsample(job(expected), 11, {1, {}});
    for (const std::int64_t workers : {1, 2, 6}) {
        std::vector<std::uint32_t> scratch(std::size_t(50 * workers));
        cuda::subsample(job(found), 11, 50, {scratch.data(), 50 * workers}, kQueue);
        CHECK(found == expected);
    }
    std::vector<double> uniform(3), wanted(3);
    ops::subsample_uniform({keys, 3}, 2, {wanted.data(), 3}, {1, {}});
    cuda::subsample_uniform({keys, 3}, 2, kQueue, uniform.data());
    CHECK(uniform == wanted);
}

/// A galaxy index in memory of its own.
struct Galaxies {
    std::vector<float> records;
    std::vector<std::int32_t> rows;
    std::vector<std::uint16_t> coarse;
    std::vector<std::int64_t> start;

    template <class Index>
    Index view(const ops::CellGrid& cells, std::int64_t n) {
        records.resize(std::size_t(6 * n));
        rows.resize(std::size_t(n));
        coarse.resize(std::size_t(3 * n + ops::kCoarsePadding));
        start.resize(std::size_t(cells.count() + 1));
        return {cells,
                30.0,
                {records.data(), n, 6},
                {rows.data(), n},
                {nullptr, 0},
                {coarse.data(), std::int64_t(coarse.size())},
                {start.data(), std::int64_t(start.size())}};
    }
};

/// Index and selection: the bits and the order of the CPU, for many lines of sight and for one.
void test_lightcone() {
    constexpr std::int64_t n = 5000, kQueries = 200, kRoom = 400'000;
    std::mt19937_64 random(23);
    std::uniform_real_distribution<float> place(-10, 40), speed(-300, 300);
    std::vector<float> positions(3 * n), velocities(3 * n);
    for (auto& x : positions) x = place(random);
    for (std::size_t i = 0; i < 3000; ++i) positions[i] = 12 + 0.03f * positions[i];  // a fifth of them close together
    for (auto& v : velocities) v = speed(random);
    for (auto& x : positions)
        if (!(x >= 0 && x < 30)) x = 0.25f * std::floor(4 * x);  // wrapped, these can be told in float32
    const ops::CellGrid cells{{5, 4, 6}, {0, 0, 0}, {6, 7.5, 5}, true};
    const ops::GalaxyTable<float> table{{positions.data(), n, 3}, {velocities.data(), n, 3}, {nullptr, 0}};
    Galaxies host, device;
    double fastest = 0;
    CHECK(ops::build_galaxy_index<float>(table, {1, {}}, host.view<ops::GalaxyIndexOut<float>>(cells, n), fastest) ==
          ops::IndexResult::done);
    std::vector<std::uint64_t> memory(std::size_t(cuda::index_scratch(n) / 8));
    const Span<unsigned char> scratch{reinterpret_cast<unsigned char*>(memory.data()), cuda::index_scratch(n)};
    const auto seen =
        cuda::build_galaxy_index<float>(table, scratch, kQueue, device.view<ops::GalaxyIndexOut<float>>(cells, n));
    CHECK(seen.result == ops::IndexResult::done && seen.max_speed == fastest);
    CHECK(host.records == device.records && host.rows == device.rows && host.start == device.start);
    CHECK(host.coarse == device.coarse);

    std::vector<math::Sightline> lines;
    for (int q = 0; q < kQueries; ++q) {
        const double x = double(place(random)), turn = 0.1 * q, c = std::cos(turn), s = std::sin(turn);
        lines.push_back({{q % 2 ? 12.5 : x, 12, 12}, {{c, 0, -s}, {0, 1, 0}, {s, 0, c}}, 2, -40, 40, 500, 100, 70});
    }
    const auto index = host.view<ops::GalaxyIndexIn<float>>(cells, n);
    for (const std::int64_t m : {std::int64_t(1), kQueries}) {
        const ops::LightconeQueries queries{{lines.data(), m}, {nullptr, 0}, {nullptr, 0, 0, 0}, 900, true, false};
        struct Room {
            std::vector<std::int64_t> offsets, indices;
            std::vector<double> values[4];
            std::vector<char> members;
            ops::LightconeOut view(std::int64_t n_offsets, std::int64_t size) {
                offsets.resize(std::size_t(n_offsets));
                indices.resize(std::size_t(size));
                for (auto& v : values) v.resize(std::size_t(size));
                members.resize(std::size_t(size));
                return {{offsets.data(), n_offsets},
                        {indices.data(), size},
                        {values[0].data(), size},
                        {values[1].data(), size},
                        {values[2].data(), size},
                        {values[3].data(), size},
                        {reinterpret_cast<bool*>(members.data()), size}};
            }
        } want, got;
        CHECK(ops::select_lightcone<float>(index, queries, 0, {1, {}}, want.view(m + 1, kRoom)) == m);
        std::vector<std::int64_t> numbers(std::size_t(cuda::lightcone_scratch(m)), -7);
        const Span<std::int64_t> room{numbers.data(), std::int64_t(numbers.size())};
        got.offsets.assign(std::size_t(m + 1), -7);
        const std::int64_t total =
            cuda::count_lightcone<float>(index, queries, room, kQueue, {got.offsets.data(), m + 1});
        CHECK(total == want.offsets.back() && got.offsets == want.offsets && total > 10 * m);
        cuda::fill_lightcone<float>(index, queries, room, kQueue, got.view(m + 1, total));
        want.view(m + 1, total);
        CHECK(got.indices == want.indices);
        for (int v = 0; v < 4; ++v) CHECK(got.values[v] == want.values[v]);
        CHECK_THROWS(cuda::count_lightcone<float>(index, queries, {room.data, 8}, kQueue, {got.offsets.data(), m + 1}),
                     ArrayError);
    }
}

}  // namespace

int main() {
    test_lightcone();
    test_index();
    test_images();
    test_draws();
    test_kde_forms();
    test_scan_and_sort();
    test_views_that_are_none();
    test_project();
    test_memory();
    return test::failures();
}
