#include <cmath>
#include <cstring>

#include "clustermass/core/vector.hpp"
#include "clustermass/math/divergence.hpp"
#include "clustermass/ops/divergence.hpp"

/// Lanes are queries: each keeps its smallest distances while all points of the other cluster pass by. No lane knows of
/// another one, so a query has the same bits wherever it stands.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

using namespace clustermass::CM_ISA;

template <class Real, int Dims>
CM_HD Vector<Real> square(const Vector<Real> (&query)[Dims], const Real* data, std::int64_t n_data) {
    const Vector<Real> first = query[0] - data[0];
    Vector<Real> sum = first * first;
    for (int axis = 1; axis < Dims; ++axis) {
        const Vector<Real> step = query[axis] - data[axis * n_data];
        sum += step * step;
    }
    return sum;
}

template <class Real>
CM_HD Vector<Real> infinite() {
    return Vector<Real>{} + Real(INFINITY);
}

/// k up to four: points come in fours, are sorted, and merged with the best so far.
template <class Real, int Dims>
CM_HD Vector<Real> kth_of_four(const Vector<Real> (&query)[Dims], const Real* data, std::int64_t n_data,
                               std::int64_t k) {
    Vector<Real> best[4] = {infinite<Real>(), infinite<Real>(), infinite<Real>(), infinite<Real>()};
    for (std::int64_t j = 0; j < n_data; j += 4) {
        Vector<Real> four[4];
        for (int i = 0; i < 4; ++i) four[i] = square<Real, Dims>(query, data + j + i, n_data);
        math::sort_four(four);
        math::keep_smallest_four(best, four);
    }
    return best[k - 1];
}

/// Any k: one by one.
template <class Real, int Dims>
CM_HD Vector<Real> kth_of_many(const Vector<Real> (&query)[Dims], const Real* data, std::int64_t n_data, std::int64_t k,
                               Real* scratch) {
    constexpr int L = kLanes<Real>;
    for (std::int64_t t = 0; t < k; ++t) store(scratch + t * L, infinite<Real>());
    for (std::int64_t j = 0; j < n_data; ++j) {
        Vector<Real> left = square<Real, Dims>(query, data + j, n_data);
        for (std::int64_t t = 0; t < k; ++t) {
            Vector<Real> best = load(scratch + t * L);
            math::put_in_order(best, left);
            store(scratch + t * L, best);
        }
    }
    return load(scratch + (k - 1) * L);
}

template <class Real, int Dims>
void search(const Real* queries, std::int64_t query_stride, std::int64_t n_queries, const Real* data,
            std::int64_t n_data, std::int64_t k, Real* scratch, Real* out) {
    for (std::int64_t i = 0; i < n_queries; i += kLanes<Real>) {
        Vector<Real> query[Dims];
        for (int axis = 0; axis < Dims; ++axis) query[axis] = load(queries + axis * query_stride + i);
        store(out + i, k <= 4 ? kth_of_four<Real, Dims>(query, data, n_data, k)
                              : kth_of_many<Real, Dims>(query, data, n_data, k, scratch));
    }
}

template <class Real>
void kth_squares(const Real* queries, std::int64_t query_stride, std::int64_t n_queries, const Real* data,
                 std::int64_t n_data, int dims, std::int64_t k, Real* scratch, Real* out) {
    const auto run = dims == 1 ? search<Real, 1> : dims == 2 ? search<Real, 2> : search<Real, 3>;
    run(queries, query_stride, n_queries, data, n_data, k, scratch, out);
}

/// The k nearest of sorted points lie side by side, and move up with the query.
template <class Real>
void kth_squares_sorted(const Real* queries, std::int64_t n_queries, const Real* data, std::int64_t n_data,
                        std::int64_t k, Real* out) {
    std::int64_t first = 0;
    for (std::int64_t i = 0; i < n_queries; ++i) {
        const Real x = queries[i];
        while (first + k < n_data && data[first + k] - x < x - data[first]) ++first;
        const Real away = math::larger(x - data[first], data[first + k - 1] - x);
        out[i] = away * away;
    }
}

constexpr int kDoubles = kLanes<double>;
using Bits = std::int64_t __attribute__((vector_size(kVectorBytes)));

/// Numbers above zero are mantissa times power of two: mantissas are multiplied, powers added, one logarithm taken.
class LogSum {
public:
    CM_HD void add(Vector<double> x) {
        const Bits bits = reinterpret_cast<Bits>(x);
        power_ += (bits >> 52) - 1023;
        product_ *= reinterpret_cast<Vector<double>>((bits & kMantissa) | kOne);
        if (++count_ == kMost) {
            fold();
            count_ = 0;
        }
    }
    CM_HD double result() {
        fold();
        std::int64_t power = 0;
        double product = 1;
        for (int i = 0; i < kDoubles; ++i) {
            power += power_[i];
            product *= product_[i];  // each is below 2
        }
        return std::log(product) + double(power) * 0.69314718055994530942;
    }

private:
    static constexpr std::int64_t kMantissa = 0x000fffffffffffff, kOne = 0x3ff0000000000000;
    static constexpr int kMost = 512;  // 2^512 is far from overflow

    CM_HD void fold() {
        const Bits bits = reinterpret_cast<Bits>(product_);
        power_ += (bits >> 52) - 1023;
        product_ = reinterpret_cast<Vector<double>>((bits & kMantissa) | kOne);
    }

    Bits power_{};
    Vector<double> product_ = Vector<double>{} + 1.0;
    int count_ = 0;
};

CM_HD Vector<double> widened(const double* from) { return load(from); }
CM_HD Vector<double> widened(const float* from) {
    typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
    Half half;
    std::memcpy(&half, from, sizeof half);
    return __builtin_convertvector(half, Vector<double>);
}

template <class Real>
double sum_log(const Real* squares, std::int64_t n, double lowest) {
    const Vector<double> low = Vector<double>{} + lowest;
    LogSum sum;
    std::int64_t i = 0;
    for (; i + kDoubles <= n; i += kDoubles) sum.add(math::larger(widened(squares + i), low));
    if (i < n) {
        Vector<double> last = Vector<double>{} + 1.0;
        for (int lane = 0; i + lane < n; ++lane) last[lane] = math::larger(double(squares[i + lane]), lowest);
        sum.add(last);
    }
    return sum.result();
}

/// The largest term is taken out of the mean, so that nothing overflows.
template <class Real>
double log_mean_power(const Real* squares, const double* log_rho2, std::int64_t n, double power, double lowest) {
    double sum = 0, top = -INFINITY;
    for (std::int64_t i = 0; i < n; ++i) {
        const double term = power * (log_rho2[i] - std::log(math::larger(double(squares[i]), lowest)));
        if (term > top) {
            sum = sum * std::exp(top - term) + 1;
            top = term;
        } else {
            sum += std::exp(term - top);
        }
    }
    return top + std::log(sum / double(n));
}

}  // namespace

extern const DivergenceLoops<float> loops_of_divergence_f32;
extern const DivergenceLoops<double> loops_of_divergence_f64;
const DivergenceLoops<float> loops_of_divergence_f32{kth_squares<float>, kth_squares_sorted<float>, sum_log<float>,
                                                     log_mean_power<float>};
const DivergenceLoops<double> loops_of_divergence_f64{kth_squares<double>, kth_squares_sorted<double>, sum_log<double>,
                                                      log_mean_power<double>};

}  // namespace CM_ISA
}  // namespace clustermass::ops
