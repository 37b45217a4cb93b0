#include "clustermass/ops/beam.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

#include "check.hpp"
#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"

using namespace clustermass;

// The loops of every instruction set that this processor runs, not only of the one that is chosen for it.
namespace clustermass::ops {
namespace baseline {
extern const BeamLoops<float> beam_loops_f32;
extern const BeamLoops<double> beam_loops_f64;
}  // namespace baseline
#if defined(CM_MULTI_ISA)
namespace avx2 {
extern const BeamLoops<float> beam_loops_f32;
extern const BeamLoops<double> beam_loops_f64;
}  // namespace avx2
namespace avx512 {
extern const BeamLoops<float> beam_loops_f32;
extern const BeamLoops<double> beam_loops_f64;
}  // namespace avx512
#endif
}  // namespace clustermass::ops

namespace {

std::vector<double> half_taps(std::int64_t reach) {
    std::vector<double> taps;
    for (std::int64_t k = 0; k <= reach; ++k) taps.push_back(1.0 / double(k * k + 4));
    return taps;
}

/// One pixel of the definition: the sum over the square of taps, zero outside the image.
template <class Real>
double definition(const std::vector<Real>& image, std::int64_t rows, std::int64_t cols, std::int64_t reach,
                  std::int64_t row, std::int64_t col) {
    const auto taps = half_taps(reach);
    double sum = 0;
    for (std::int64_t r = std::max<std::int64_t>(0, row - reach); r <= std::min(rows - 1, row + reach); ++r)
        for (std::int64_t c = std::max<std::int64_t>(0, col - reach); c <= std::min(cols - 1, col + reach); ++c)
            sum += taps[std::size_t(std::abs(r - row))] * taps[std::size_t(std::abs(c - col))] *
                   double(image[std::size_t(r * cols + c)]);
    return sum;
}

template <class Real>
void test_loops(const ops::BeamLoops<Real>& loops, std::int64_t rows, std::int64_t cols, std::int64_t reach,
                std::int64_t margin) {
    constexpr std::size_t kGuard = 64;
    const auto out_rows = rows - 2 * margin, out_cols = cols - 2 * margin;
    std::vector<Real> image(std::size_t(rows * cols)), out(std::size_t(out_rows * out_cols) + 2 * kGuard, Real(-7));
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = Real(double((i * 7919) % 1013) / 1013);
    std::vector<Real> taps;
    for (const double tap : half_taps(reach)) taps.push_back(Real(tap));
    const ops::BeamImage<Real> job{image.data(), out.data() + kGuard, rows, cols, margin, taps.data(), reach};
    std::vector<Real> scratch(std::size_t(loops.scratch_size(job)) + 64 / sizeof(Real));
    auto* aligned = scratch.data();
    while (reinterpret_cast<std::uintptr_t>(aligned) % 64 != 0) ++aligned;
    CHECK(loops.convolve(job, aligned));
    const double bound = sizeof(Real) == 4 ? 2e-6 : 1e-14;
    bool good = true;
    for (std::int64_t r = 0; r < out_rows; ++r)
        for (std::int64_t c = 0; c < out_cols; ++c) {
            const double want = definition(image, rows, cols, reach, r + margin, c + margin);
            good &= std::fabs(double(out[kGuard + std::size_t(r * out_cols + c)]) - want) <= bound * 4;
        }
    CHECK(good);
    for (std::size_t i = 0; i < kGuard; ++i) CHECK(out[i] == -7 && out[out.size() - 1 - i] == -7);
}

template <class Real>
void test_every_shape(const ops::BeamLoops<Real>& loops) {
    for (const auto& [rows, cols] : {std::pair{1, 5}, {9, 1}, {3, 16}, {17, 17}, {40, 23}, {31, 150}})
        for (const std::int64_t reach : {1, 4, 33}) test_loops<Real>(loops, rows, cols, reach, 0);
    test_loops<Real>(loops, 37, 160, 4, 4);
    test_loops<Real>(loops, 23, 16, 5, 7);
    test_loops<Real>(loops, 80, 75, 33, 36);
}

void test_not_finite() {
    std::vector<float> values(100, 1.0f);
    CHECK(ops::baseline::beam_loops_f32.all_finite(values.data(), 100));
    for (const std::size_t i : {0, 50, 99}) {
        values[i] = std::numeric_limits<float>::infinity();
        CHECK(!ops::baseline::beam_loops_f32.all_finite(values.data(), 100));
        values[i] = std::numeric_limits<float>::quiet_NaN();
        CHECK(!ops::baseline::beam_loops_f32.all_finite(values.data(), 100));
        values[i] = 1.0f;
    }
}

void test_threads() {
    std::vector<double> images(50 * 40 * 60), one(images.size()), many(images.size());
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = double((i * 7919) % 1013);
    const auto taps = half_taps(6);
    const std::int64_t reach[] = {6};
    const auto run = [&](int n_threads, std::vector<double>& out) {
        return ops::convolve_beam<double>({images.data(), 50, 40, 60}, {taps.data(), 1, 7}, {reach, 1}, 0,
                                          {n_threads, {}}, {out.data(), 50, 40, 60});
    };
    CHECK(run(1, one) && run(4, many));
    CHECK(one == many);
    CHECK(run(4, images));  // in place
    CHECK(one == images);
    images[77] = std::nan("");
    const auto before = images[78];
    CHECK(!run(4, images));
    CHECK(images[78] == before);
}

}  // namespace

int main() {
    test_every_shape(ops::baseline::beam_loops_f32);
    test_every_shape(ops::baseline::beam_loops_f64);
#if defined(CM_MULTI_ISA)
    if (best_isa() != Isa::baseline) {
        test_every_shape(ops::avx2::beam_loops_f32);
        test_every_shape(ops::avx2::beam_loops_f64);
    }
    if (best_isa() == Isa::avx512) {
        test_every_shape(ops::avx512::beam_loops_f32);
        test_every_shape(ops::avx512::beam_loops_f64);
    }
#endif
    test_not_finite();
    test_threads();
    return test::failures();
}
