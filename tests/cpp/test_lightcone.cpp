#include "clustermass/math/lightcone.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "check.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/ops/lightcone.hpp"

using namespace clustermass;

namespace {

const math::Sightline kAlongZ{{0, 0, 0}, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, 1.0, -50, 50, 500, 100, 70};

bool near(double a, double b, double tolerance) { return std::fabs(a - b) <= tolerance; }

void test_velocities_add_up_like_rapidities() {
    const double c = math::kSpeedOfLight;
    for (const double a : {-0.9, -0.1, 0.0, 0.3, 0.7})
        for (const double b : {-0.6, 0.0, 0.01, 0.9}) {
            const double sum = math::add_velocities(a * c, b * c);
            CHECK(near(sum, c * std::tanh(std::atanh(a) + std::atanh(b)), 1e-8));
            CHECK(near(math::subtract_velocities(sum, b * c), a * c, 1e-8));
        }
}

void test_the_table_is_made_of_cubic_polynomials() {
    const double coefficients[4][2] = {{1, 10}, {2, 1}, {3, 0}, {4, 0}};
    const math::HubbleTable table{&coefficients[0][0], 2, 100.0, 0.5};
    CHECK(math::recession_velocity(table, 100.0) == 1.0);
    CHECK(math::recession_velocity(table, 101.0) == 1 + 0.5 * (2 + 0.5 * (3 + 0.5 * 4)));
    CHECK(math::recession_velocity(table, 102.0) == 10.0);
    CHECK(math::recession_velocity(table, 105.0) == 11.5);  // beyond the last interval its polynomial goes on
    CHECK(math::recession_velocity(table, 99.0) == 1 - 0.5 * (2 - 0.5 * (3 - 0.5 * 4)));  // and before the first
    CHECK(std::isfinite(math::recession_velocity(table, -1e9)));
}

void test_classical_velocity_and_edges() {
    const auto seen = [](double x, double depth, double w, double window) {
        return math::observe<false, false>(kAlongZ, {nullptr, 0, 0, 0}, window, x, 0, depth, 0, 0, w);
    };
    const auto o = seen(0.6, 2.0, 150.0, 1000);
    CHECK(o.is_selected && o.x == 0.6 && o.y == 0 && o.velocity == 2 * 70 + 50);
    CHECK(near(o.distance, std::sqrt(0.36 + 4), 1e-15));
    CHECK(seen(1.0, 0, 100, 1000).is_selected);  // on the edge of the aperture
    CHECK(!seen(std::nextafter(1.0, 2.0), 0, 100, 1000).is_selected);
    CHECK(!seen(0, 10, 100, 700).is_selected);  // the window is open
    CHECK(seen(0, 10, 100, std::nextafter(700.0, 701.0)).is_selected);
    CHECK(seen(0, -50, 3600, 1000).is_selected && !seen(0, -50.001, 3600, 1000).is_selected);
}

void test_a_cone_opens_with_distance() {
    const auto seen = [](double x, double depth) {
        return math::observe<true, false>(kAlongZ, {nullptr, 0, 0, 0}, 1e9, x, 0, depth, 0, 0, 0);
    };
    CHECK(seen(1.0, 0).is_selected && !seen(1.001, 0).is_selected);
    CHECK(seen(1.09, 50).is_selected && !seen(1.11, 50).is_selected);
    CHECK(near(seen(1.1, 50).x, 1.0, 1e-15));
    CHECK(seen(0.89, -50).is_selected && !seen(0.91, -50).is_selected);
    math::Sightline close = kAlongZ;
    close.distance = 20;
    const auto behind = math::observe<true, false>(close, {nullptr, 0, 0, 0}, 1e9, 0, 0, -20.0, 0, 0, 0);
    CHECK(!behind.is_selected);
}

/// One galaxy at the corner of a periodic box, seen from the opposite corner.
void test_a_galaxy_is_found_through_the_box_wall() {
    const float positions[3] = {0.1f, 9.9f, 0.2f}, velocities[3] = {3, 4, 0};
    const ops::CellGrid cells{{2, 2, 2}, {0, 0, 0}, {5, 5, 5}, true};
    std::vector<float> records(6);
    std::vector<std::int32_t> rows(1);
    std::vector<std::uint16_t> coarse(3 + ops::kCoarsePadding);
    std::vector<std::int64_t> start(9);
    const ops::GalaxyTable<float> table{{positions, 1, 3}, {velocities, 1, 3}, {nullptr, 0}};
    const ops::GalaxyIndexOut<float> out{cells,
                                         10.0,
                                         {records.data(), 1, 6},
                                         {rows.data(), 1},
                                         {nullptr, 0},
                                         {coarse.data(), std::int64_t(coarse.size())},
                                         {start.data(), 9}};
    double speed = 0;
    CHECK(ops::build_galaxy_index(table, Parallel{}, out, speed) == ops::IndexResult::done);
    CHECK(speed == 5 && start[8] == 1 && start[2] == 0 && start[3] == 1);

    math::Sightline query = kAlongZ;
    query.centre[0] = 9.8;
    query.centre[1] = 0.1;
    query.centre[2] = 9.8;
    const ops::LightconeQueries queries{{&query, 1}, {nullptr, 0}, {nullptr, 0, 0, 0}, 200.0, false, false};
    std::int64_t offsets[2] = {0, 0}, indices[1] = {-1};
    double x[1], y[1], velocity[1], distance[1];
    bool is_member[1];
    const ops::GalaxyIndexIn<float> index{cells,
                                          10.0,
                                          {records.data(), 1, 6},
                                          {rows.data(), 1},
                                          {nullptr, 0},
                                          {coarse.data(), std::int64_t(coarse.size())},
                                          {start.data(), 9}};
    const ops::LightconeOut room{{offsets, 2},  {indices, 1},  {x, 1},        {y, 1},
                                 {velocity, 1}, {distance, 1}, {is_member, 1}};
    CHECK(ops::select_lightcone(index, queries, 0, Parallel{}, room) == 1);
    CHECK(offsets[1] == 1 && indices[0] == 0 && !is_member[0]);
    CHECK(near(x[0], 0.3, 1e-6) && near(y[0], -0.2, 1e-6) && near(velocity[0], 0.4 * 70 - 100, 1e-4));
    const ops::LightconeOut none{{offsets, 2},  {indices, 0},  {x, 0},        {y, 0},
                                 {velocity, 0}, {distance, 0}, {is_member, 0}};
    CHECK(ops::select_lightcone(index, queries, 0, Parallel{}, none) == 0);
    query.aperture = 0;
    CHECK_THROWS(ops::select_lightcone(index, queries, 0, Parallel{}, room), DomainError);
}

/// Many queries by several threads: the same galaxies in the same places, also where the room is too small for all.
void test_threads_share_the_work() {
    constexpr std::int64_t kGalaxies = 500, kQueries = 300, kRoom = 60'000;
    std::vector<double> positions(3 * kGalaxies), velocities(3 * kGalaxies), records(6 * kGalaxies);
    for (std::size_t i = 0; i < positions.size(); ++i) {
        positions[i] = std::fmod(7.31 * double(i) + 0.013 * double(i * i), 20.0);
        velocities[i] = std::fmod(53.0 * double(i), 400.0) - 200;
    }
    std::vector<std::int32_t> rows(kGalaxies);
    std::vector<std::uint16_t> coarse(3 * kGalaxies + ops::kCoarsePadding);
    std::vector<std::int64_t> start(65);
    const ops::CellGrid cells{{4, 4, 4}, {0, 0, 0}, {5, 5, 5}, true};
    const ops::GalaxyIndexOut<double> out{cells,
                                          20.0,
                                          {records.data(), kGalaxies, 6},
                                          {rows.data(), kGalaxies},
                                          {nullptr, 0},
                                          {coarse.data(), std::int64_t(coarse.size())},
                                          {start.data(), 65}};
    double speed = 0;
    const ops::GalaxyTable<double> table{{positions.data(), kGalaxies, 3}, {velocities.data(), kGalaxies, 3}, {}};
    CHECK(ops::build_galaxy_index(table, Parallel{4}, out, speed) == ops::IndexResult::done);
    const ops::GalaxyIndexIn<double> index{cells,
                                           20.0,
                                           {records.data(), kGalaxies, 6},
                                           {rows.data(), kGalaxies},
                                           {nullptr, 0},
                                           {coarse.data(), std::int64_t(coarse.size())},
                                           {start.data(), 65}};
    std::vector<math::Sightline> lines(kQueries, kAlongZ);
    for (std::size_t q = 0; q < lines.size(); ++q)
        for (std::size_t a = 0; a < 3; ++a) lines[q].centre[a] = std::fmod(3.7 * double(3 * q + a), 20.0);
    const ops::LightconeQueries queries{
        {lines.data(), kQueries}, {nullptr, 0}, {nullptr, 0, 0, 0}, 600.0, false, false};

    const auto select = [&](int n_threads, std::int64_t size, std::vector<std::int64_t>& offsets) {
        std::vector<std::int64_t> indices(static_cast<std::size_t>(size), -1);
        std::vector<double> values(static_cast<std::size_t>(4 * size));
        const std::unique_ptr<bool[]> is_member(new bool[std::size_t(size)]);
        double* const v = values.data();
        const ops::LightconeOut room{
            {offsets.data(), kQueries + 1}, {indices.data(), size}, {v, size}, {v + size, size}, {v + 2 * size, size},
            {v + 3 * size, size},           {is_member.get(), size}};
        const std::int64_t done = ops::select_lightcone(index, queries, 0, Parallel{n_threads}, room);
        indices.resize(std::size_t(offsets[std::size_t(done)]));
        return std::make_pair(done, indices);
    };
    std::vector<std::int64_t> alone(kQueries + 1), together(kQueries + 1);
    const auto want = select(1, kRoom, alone), got = select(4, kRoom, together);
    CHECK(want.first == kQueries && got == want && alone == together);
    CHECK(want.second.size() > 1000);
    const std::int64_t half = alone[kQueries / 2];
    const auto few = select(4, half, together);
    CHECK(few.first > 0 && few.first <= kQueries / 2);
    CHECK(std::equal(few.second.begin(), few.second.end(), want.second.begin()));
}

}  // namespace

int main() {
    test_velocities_add_up_like_rapidities();
    test_the_table_is_made_of_cubic_polynomials();
    test_classical_velocity_and_edges();
    test_a_cone_opens_with_distance();
    test_a_galaxy_is_found_through_the_box_wall();
    test_threads_share_the_work();
    return test::failures();
}
