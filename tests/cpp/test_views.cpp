#include "clustermass/ops/views.hpp"

#include <cmath>
#include <initializer_list>
#include <numeric>
#include <vector>

#include "check.hpp"
#include "clustermass/core/error.hpp"

using namespace clustermass;
using ops::Assignment;

namespace {

constexpr double kBox = 20;

/// Particles of a periodic box and their index, with the memory of both.
template <class Real>
struct Scene {
    std::int64_t n;
    std::vector<Real> positions, weights, support, x, y, z, w, h;
    std::vector<std::int64_t> start;
    ops::CellGrid cells;

    Scene(std::int64_t count, bool is_periodic) : n(count), cells{{5, 4, 3}, {0, 0, 0}, {4, 5, kBox / 3}, is_periodic} {
        std::uint64_t state = 99;
        const auto next = [&state] {
            state = state * 6364136223846793005u + 1442695040888963407u;
            return Real(state >> 40) / Real(1 << 24);
        };
        for (std::int64_t i = 0; i < 3 * n; ++i) positions.push_back(Real(kBox) * next());
        for (std::int64_t i = 0; i < 2 * n; ++i) weights.push_back(next());
        for (std::int64_t i = 0; i < n; ++i) support.push_back(Real(0.7) * next());
        for (auto* v : {&x, &y, &z, &h}) v->resize(std::size_t(n));
        w.resize(std::size_t(2 * n));
        start.resize(std::size_t(cells.count() + 1));
    }

    bool build(int n_threads) {
        const ops::Particles<Real> particles{{positions.data(), n, 3}, {weights.data(), n, 2}, {support.data(), n}};
        return ops::build_index<Real>(particles, {n_threads}, index<Real, std::int64_t>(*this));
    }

    template <class Value, class Index, class Self>
    static ops::ParticleIndex<Value, Index> index(Self& s) {
        return {s.cells,
                {s.x.data(), s.n},
                {s.y.data(), s.n},
                {s.z.data(), s.n},
                {s.w.data(), s.n, 2},
                {s.h.data(), s.n},
                {s.start.data(), s.cells.count() + 1}};
    }

    std::vector<double> views(const std::vector<math::View>& list, Assignment assignment, int n_threads) const {
        std::vector<double> images(list.size() * 2 * 12 * 9, -1.0);
        const ops::ViewsParams params{assignment, math::SphKernel::wendland_c2, kBox / 2, 0.7, false};
        ops::project_views<Real, double>(index<const Real, const std::int64_t>(*this),
                                         {list.data(), std::int64_t(list.size())}, params, 12, 9, {n_threads},
                                         images.data());
        return images;
    }
};

std::vector<math::View> many_views() {
    std::vector<math::View> list;
    for (int k = 0; k < 40; ++k) {
        const double c = std::cos(0.3 * k), s = std::sin(0.3 * k);
        list.push_back({{0.5 * k, kBox - 0.1 * k, 19.9}, {{c, s, 0}, {-s, c, 0}, {0, 0, 1}}, 1.0 + 0.1 * k});
    }
    list.push_back({{1e6, 0, 0}, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, 2.0});  // periodic: a view far from the box
    return list;
}

template <class Real>
void test_index_holds_every_particle_once() {
    for (const std::int64_t n : {0, 1, 1000, 70'000}) {
        Scene<Real> scene(n, true);
        CHECK(scene.build(1));
        CHECK(scene.start.front() == 0 && scene.start.back() == n);
        const double want = std::accumulate(scene.weights.begin(), scene.weights.end(), 0.0);
        CHECK(std::fabs(std::accumulate(scene.w.begin(), scene.w.end(), 0.0) - want) <= 1e-9 * want);
        for (const Real x : scene.x) CHECK(x >= 0 && double(x) < kBox);
        Scene<Real> again(n, true);
        CHECK(again.build(3));
        CHECK(again.x == scene.x && again.w == scene.w && again.start == scene.start);
    }
}

template <class Real>
void test_threads_do_not_change_the_views(bool is_periodic) {
    Scene<Real> scene(30'000, is_periodic);
    CHECK(scene.build(2));
    for (const auto assignment : {Assignment::ngp, Assignment::cic, Assignment::tsc, Assignment::sph}) {
        const auto one = scene.views(many_views(), assignment, 1);
        for (const double pixel : one) CHECK(pixel >= 0);
        for (const int n_threads : {2, 3, 8}) CHECK(scene.views(many_views(), assignment, n_threads) == one);
    }
}

void test_a_whole_box_is_seen_once() {
    Scene<double> scene(5000, true);
    CHECK(scene.build(1));
    // 12 x 9 pixels of 20/9 Mpc: the columns span the box once, the rows 4/3 of it
    const std::vector<math::View> list{{{3, 4, 5}, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, 9 / kBox}};
    const auto images = scene.views(list, Assignment::ngp, 1);
    double rows_of_one_box = 0;
    for (int k = 0; k < 9 * 9; ++k) rows_of_one_box += images[std::size_t(k)];
    double want = 0;
    for (std::int64_t i = 0; i < scene.n; ++i) want += scene.weights[std::size_t(2 * i)];
    CHECK(std::fabs(rows_of_one_box / want - 1) < 1e-12);
}

void test_invalid_input_is_refused() {
    Scene<double> scene(10, true);
    scene.positions[4] = std::nan("");
    CHECK(!scene.build(1));
    Scene<double> negative(10, true);
    negative.support[9] = -1;
    CHECK(!negative.build(1));
    Scene<double> wrong(10, true);
    wrong.cells.size[1] = 0;
    CHECK_THROWS(wrong.build(1), DomainError);
    wrong.cells.size[1] = 5;
    wrong.start.resize(61);
    wrong.cells.n[0] = 4097;
    CHECK_THROWS(wrong.build(1), DomainError);
}

}  // namespace

int main() {
    test_index_holds_every_particle_once<float>();
    test_index_holds_every_particle_once<double>();
    test_threads_do_not_change_the_views<float>(true);
    test_threads_do_not_change_the_views<double>(true);
    test_threads_do_not_change_the_views<double>(false);
    test_a_whole_box_is_seen_once();
    test_invalid_input_is_refused();
    return test::failures();
}
