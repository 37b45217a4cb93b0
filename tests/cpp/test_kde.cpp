#include "clustermass/ops/kde.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "check.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"

using namespace clustermass;

// The loops of every instruction set that this processor runs, not only of the one that is chosen for it.
namespace clustermass::ops {
namespace baseline {
extern const KdeLoops<float> kde_loops_f32;
extern const KdeLoops<double> kde_loops_f64;
}  // namespace baseline
#if defined(CM_MULTI_ISA)
namespace avx2 {
extern const KdeLoops<float> kde_loops_f32;
extern const KdeLoops<double> kde_loops_f64;
}  // namespace avx2
namespace avx512 {
extern const KdeLoops<float> kde_loops_f32;
extern const KdeLoops<double> kde_loops_f64;
}  // namespace avx512
#endif
}  // namespace clustermass::ops

namespace {

constexpr double kLog2E = 1.4426950408889634;

void test_bandwidth_rules() {
    using math::Bandwidth;
    CHECK(math::bandwidth_factor(Bandwidth::fixed, 0.25, 100, 2) == 0.25);
    CHECK(std::fabs(math::bandwidth_factor(Bandwidth::scott, 0, 64, 2) - 0.5) < 1e-15);
    CHECK(std::fabs(math::bandwidth_factor(Bandwidth::silverman, 0, 64, 2) - 0.5) < 1e-15);
    CHECK(std::fabs(math::bandwidth_factor(Bandwidth::silverman, 0, 100, 1) - std::pow(75, -0.2)) < 1e-15);
}

void test_inverse() {
    const double covariance[9] = {4, 1, -2, 1, 9, 0.5, -2, 0.5, 25};
    const math::KernelShape shape = math::invert(covariance, 3);
    CHECK(!shape.is_degenerate);
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) {
            double product = 0;
            for (int k = 0; k < 3; ++k) product += covariance[3 * i + k] * shape.precision[3 * k + j];
            CHECK(std::fabs(product - (i == j)) < 1e-14);
        }
    const double determinant = 4 * (9 * 25 - 0.25) - (25 + 1) - 2 * (0.5 + 18);
    CHECK(std::fabs(shape.width * shape.width / determinant - 1) < 1e-14);
}

void test_kernels_without_width_are_broadened() {
    const double none[9] = {}, line[9] = {4, 6, 0, 6, 9, 0, 0, 0, 0};
    const math::KernelShape point = math::kernel_of(none, 0.25, 3);
    for (int i = 0; i < 3; ++i) CHECK(std::fabs(point.precision[4 * i] - 4) < 1e-14);
    CHECK(std::fabs(point.width - 0.125) < 1e-15);
    const double broadened[9] = {4.25, 6, 0, 6, 9.25, 0, 0, 0, 0};
    const math::KernelShape a = math::kernel_of(line, 1.0, 2), b = math::invert(broadened, 2);
    for (int i = 0; i < 9; ++i) CHECK(a.precision[i] == b.precision[i]);
    CHECK(!b.is_degenerate);
    const double huge[9] = {1e30, 1e30, 0, 1e30, 1e30, 0, 0, 0, 0};  // half a cell is nothing here
    CHECK(std::isfinite(math::kernel_of(huge, 1.0, 2).precision[0]));
    const double wide[9] = {1, 0.999999, 0, 0.999999, 1, 0, 0, 0, 0};
    CHECK(!math::invert(wide, 2).is_degenerate);
}

void test_a_term_is_at_most_one_and_keeps_its_shape() {
    for (const double vertex : {-3.0, 0.5, 3.0}) {
        const double curvature = 0.7, gradient = vertex == 0.5 ? -0.35 : -vertex;  // largest at the vertex of the tile
        const auto term = math::axis_term(gradient, curvature, vertex);
        const auto value = [&](double k) { return term.constant + term.slope * k - 0.5 * curvature * k * k; };
        CHECK(std::fabs(value(vertex)) < 1e-14);
        for (const double k : {-3.0, -1.0, 2.0, 3.0})
            CHECK(std::fabs(value(k) + gradient * (k - vertex) + 0.5 * curvature * (k * k - vertex * vertex)) < 1e-13);
    }
}

template <class Real>
void test_loops(const ops::KdeLoops<Real>& loops, int dims, std::int64_t n, double cross, double limit, double bound) {
    ops::KdeGrid grid{dims, {2, 0, 0}, {false, false, true}, {1, 1, 19}, {}, {}};
    if (dims == 2) grid = {2, {0, 2, 0}, {true, false, true}, {21, 1, 19}, {}, {}};
    if (dims == 3) grid = {3, {0, 1, 2}, {true, true, true}, {7, 6, 19}, {}, {}};
    for (int axis = 0; axis < dims; ++axis) grid.centre[axis] = 1.5, grid.per_length[axis] = 2;
    std::mt19937 random(7);
    std::normal_distribution<double> normal(1.5, 2);
    std::vector<Real> points(std::size_t(n * dims)), weights(std::size_t(n), Real(0.5));
    for (auto& x : points) x = Real(normal(random));
    weights[0] = 1;
    const double own = 0.09 * kLog2E, p[6] = {dims > 1 ? own : 0,  dims == 3 ? cross : 0, dims > 1 ? cross : 0,
                                              dims == 3 ? own : 0, dims == 3 ? cross : 0, own};
    const std::unique_ptr<void, void (*)(void*)> scratch(
        ::operator new(std::size_t(loops.scratch_bytes(grid)), std::align_val_t(64)),
        [](void* at) { ::operator delete(at, std::align_val_t(64)); });
    std::fill_n(static_cast<unsigned char*>(scratch.get()), loops.scratch_bytes(grid), 0xff);  // NaN
    constexpr std::size_t kGuard = 64;
    std::vector<Real> out(std::size_t(grid.size()) + 2 * kGuard, Real(-7));
    const ops::KdePoints<Real> cluster{points.data(), weights.data(), n, 1.0};
    const ops::KdeSummary summary = loops.evaluate(cluster, grid, p, limit, scratch.get(), out.data() + kGuard);
    double peak = 0, worst = 0, sum = 0;
    std::size_t at = kGuard;
    for (std::int64_t i = 0; i < grid.n[0]; ++i)
        for (std::int64_t j = 0; j < grid.n[1]; ++j)
            for (std::int64_t k = 0; k < grid.n[2]; ++k, ++at) {
                double want = 0;
                for (std::int64_t m = 0; m < n; ++m) {
                    double d[3] = {};
                    const std::int64_t cell[3] = {i, j, k};
                    for (int axis = 0; axis < dims; ++axis) {
                        const int slot = grid.slot[axis];
                        d[slot] = double(cell[slot]) - 0.5 * double(grid.n[slot] - 1) -
                                  2 * (double(points[std::size_t(m * dims + axis)]) - 1.5);
                    }
                    want += double(weights[std::size_t(m)]) * std::exp2(-math::half_form(p, d[0], d[1], d[2]));
                }
                peak = std::fmax(peak, want);
                sum += want;
                worst = std::fmax(worst, std::fabs(want - double(out[at])));
            }
    CHECK(worst < bound * peak);
    CHECK(std::fabs(summary.peak / peak - 1) < bound);
    CHECK(std::fabs(summary.sum / sum - 1) < bound);
    CHECK(std::all_of(out.begin(), out.begin() + kGuard, [](Real v) { return v == Real(-7); }));
    CHECK(std::all_of(out.end() - kGuard, out.end(), [](Real v) { return v == Real(-7); }));
}

template <class Real>
void test_all_shapes(const ops::KdeLoops<Real>& loops, double bound) {
    for (int dims = 1; dims <= 3; ++dims)
        for (const std::int64_t n : {1, 7, 128, 300})
            for (const double limit : {0.0, 3.0, 30.0})  // as rows, in tiles, as a whole
                test_loops(loops, dims, n, 0.04 * kLog2E, limit, bound);
}

void test_every_instruction_set() {
    test_all_shapes(ops::baseline::kde_loops_f32, 1.5e-6);
    test_all_shapes(ops::baseline::kde_loops_f64, 1e-13);
#if defined(CM_MULTI_ISA)
    const Isa best = best_isa();
    if (best != Isa::baseline) {
        test_all_shapes(ops::avx2::kde_loops_f32, 1.5e-6);
        test_all_shapes(ops::avx2::kde_loops_f64, 1e-13);
    }
    if (best == Isa::avx512) {
        test_all_shapes(ops::avx512::kde_loops_f32, 1.5e-6);
        test_all_shapes(ops::avx512::kde_loops_f64, 1e-13);
    }
#endif
}

void test_arguments_are_checked() {
    const double axes[6] = {0.5, 1, 4, 0.5, 1, 4};
    const std::int64_t offsets[3] = {0, 1, 3}, falling[4] = {0, 3, 1, 3};
    const double points[6] = {};
    std::vector<double> out(48);
    const auto run = [&](Span<const std::int64_t> starts, Table<const double> grid, std::int64_t kernel,
                         std::int64_t cells) {
        const ops::KdeRule rule{math::Bandwidth::fixed, 0.25, {axes, kernel}, ops::KdeNormalise::sum};
        return ops::estimate_density<double>({points, 3, 2}, starts, {nullptr, 0}, grid, rule, Parallel{},
                                             {out.data(), starts.size - 1, cells});
    };
    CHECK(run({offsets, 3}, {axes, 2, 3}, 0, 16));
    CHECK_THROWS(run({offsets, 2}, {axes, 2, 3}, 0, 16), ArrayError);
    CHECK_THROWS(run({falling, 4}, {axes, 2, 3}, 0, 16), DomainError);
    CHECK_THROWS(run({offsets, 3}, {axes, 1, 3}, 0, 16), ArrayError);
    CHECK_THROWS(run({offsets, 3}, {axes, 2, 3}, 3, 16), ArrayError);
    CHECK_THROWS(run({offsets, 3}, {axes, 2, 3}, 0, 15), ArrayError);
    const double bad[6] = {0.5, 0, 4, 0.5, 1, 4}, none[6] = {0.5, 1, 0, 0.5, 1, 4};
    CHECK_THROWS(run({offsets, 3}, {bad, 2, 3}, 0, 16), DomainError);
    CHECK_THROWS(run({offsets, 3}, {none, 2, 3}, 0, 0), DomainError);
}

}  // namespace

int main() {
    test_bandwidth_rules();
    test_inverse();
    test_kernels_without_width_are_broadened();
    test_a_term_is_at_most_one_and_keeps_its_shape();
    test_every_instruction_set();
    test_arguments_are_checked();
    return clustermass::test::failures();
}
