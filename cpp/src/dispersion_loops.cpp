#include <cstring>

#include "clustermass/math/dispersion.hpp"
#include "clustermass/ops/dispersion.hpp"

/// Sums go into eight parts, whatever the instruction set: number i into part i mod 8, parts are added in order. So all
/// sets give the same bits, and decisions of the clipping are the same.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

constexpr std::int64_t kParts = 8;
using Eight = double __attribute__((vector_size(kParts * sizeof(double))));

CM_HD double total(const Eight& parts) {
    double sum = 0;
    for (int i = 0; i < kParts; ++i) sum += parts[i];
    return sum;
}

/// body(eight numbers) for all of them; the last are filled up with `filler`.
template <class Body>
CM_HD void each_eight(const double* values, std::int64_t n, double filler, const Body& body) {
    std::int64_t i = 0;
    Eight x;
    for (; i + kParts <= n; i += kParts) {
        std::memcpy(&x, values + i, sizeof x);
        body(x);
    }
    if (i == n) return;
    x = Eight{} + filler;
    for (int k = 0; i + k < n; ++k) x[k] = values[i + k];
    body(x);
}

template <class Real>
bool load(const Real* from, std::int64_t n, double* to) {
    bool good = true;
    for (std::int64_t i = 0; i < n; ++i) {
        to[i] = double(from[i]);
        good &= std::fabs(to[i]) <= kFastest;  // NaN fails too
    }
    return good;
}

void sort_few(double* values, std::int64_t n, double* scratch) {
    std::memcpy(scratch, values, std::size_t(n) * sizeof(double));
    for (std::int64_t i = 0; i < n; ++i) {
        const double own = scratch[i];
        std::int64_t before = 0;
        for (std::int64_t j = 0; j < i; ++j) before += scratch[j] <= own;
        for (std::int64_t j = i; j < n; ++j) before += scratch[j] < own;
        values[before] = own;
    }
}

double sum(const double* values, std::int64_t n) {
    Eight parts{};
    each_eight(values, n, 0.0, [&](const Eight& x) __attribute__((always_inline)) { parts += x; });
    return total(parts);
}

double sum_of_squares(const double* values, std::int64_t n, double middle) {
    Eight parts{};
    each_eight(values, n, middle, [&](const Eight& x) __attribute__((always_inline)) {
        const Eight d = x - middle;
        parts += d * d;
    });
    return total(parts);
}

double weighted_gaps(const double* sorted, std::int64_t n) {
    double parts[kParts] = {};
    std::int64_t i = 1;
    for (; i + kParts <= n; i += kParts)
        for (std::int64_t k = 0; k < kParts; ++k)
            parts[k] += double((i + k) * (n - i - k)) * (sorted[i + k] - sorted[i + k - 1]);
    for (std::int64_t k = 0; i + k < n; ++k)
        parts[k] += double((i + k) * (n - i - k)) * (sorted[i + k] - sorted[i + k - 1]);
    double sum = 0;
    for (const double part : parts) sum += part;
    return sum;
}

BiweightSums biweight(const double* values, std::int64_t n, double median, double mad) {
    const double near = math::kLocationTuning * mad, far = math::kScaleTuning * mad;
    Eight weights{}, weighted{}, squares{}, slopes{};
    each_eight(values, n, median + 2 * far, [&](const Eight& x) __attribute__((always_inline)) {
        const Eight d = x - median, by_near = d / near, by_far = d / far;
        const Eight weight = math::biweight_weight(Eight(by_near * by_near));
        const Eight u2 = by_far * by_far;
        weights += weight;
        weighted += weight * d;
        squares += math::biweight_square(d, u2);
        slopes += math::biweight_slope(u2);
    });
    return {total(weights), total(weighted), total(squares), total(slopes)};
}

}  // namespace

extern const DispersionLoops dispersion_loops;
const DispersionLoops dispersion_loops{load<float>,    load<double>,  sort_few, sum,
                                       sum_of_squares, weighted_gaps, biweight};

}  // namespace CM_ISA
}  // namespace clustermass::ops
