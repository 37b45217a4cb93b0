#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/macros.hpp"

/// Divergences from distances to k-th neighbours, and the networks that keep the smallest of many distances. The
/// networks work on numbers or on vectors of them, lane by lane.
namespace clustermass::math {

/// Squares of distances are kept from zero: distances from min(1e-2, 1e-100^(1/dims)).
CM_HD double smallest_square(int dims) { return dims == 1 ? 1e-200 : dims == 2 ? 1e-100 : 2.1544346900318867e-67; }

/// D(p || q) = dims mean(ln nu - ln rho) + ln(m / (n - 1)), not below 0 (Wang, Kulkarni & Verdu 2009, eq. 5), from sums
/// over the n points of p of the logarithms of squared distances to k-th neighbours: among the m points of q (nu),
/// among the other points of p (rho).
CM_HD double kl_divergence(double sum_log_nu2, double sum_log_rho2, std::int64_t n, std::int64_t m, int dims) {
    const double d =
        0.5 * dims * (sum_log_nu2 - sum_log_rho2) / double(n) + std::log(double(m)) - std::log(double(n - 1));
    return d > 0 ? d : 0.0;
}

/// What ln(rho^2 / nu^2) of a point is multiplied by in the mean of the Renyi divergence.
CM_HD double renyi_power(double alpha, int dims) { return 0.5 * dims * (1 - alpha); }

/// ln[Gamma(k)^2 / (Gamma(k + 1 - alpha) Gamma(k - 1 + alpha))], for |alpha - 1| < k.
CM_HD double renyi_bias(double alpha, std::int64_t k) {
    const double n = double(k);
    return 2 * std::lgamma(n) - std::lgamma(n + 1 - alpha) - std::lgamma(n - 1 + alpha);
}

/// Renyi divergence of order alpha, not below 0, from ln mean (rho / nu)^(dims (1 - alpha)) and `bias`.
CM_HD double renyi_divergence(double log_mean, double bias, std::int64_t n, std::int64_t m, double alpha) {
    const double log_ratio = std::log(double(n - 1)) - std::log(double(m));
    const double d = (log_mean + (1 - alpha) * log_ratio + bias) / (alpha - 1);
    return d > 0 ? d : 0.0;
}

template <class Value>
CM_HD Value smaller(Value a, Value b) {
    return a < b ? a : b;
}
template <class Value>
CM_HD Value larger(Value a, Value b) {
    return a > b ? a : b;
}
template <class Value>
CM_HD void put_in_order(Value& a, Value& b) {
    const Value low = smaller(a, b);
    b = larger(a, b);
    a = low;
}

template <class Value>
CM_HD void sort_four(Value (&v)[4]) {
    put_in_order(v[0], v[1]);
    put_in_order(v[2], v[3]);
    put_in_order(v[0], v[2]);
    put_in_order(v[1], v[3]);
    put_in_order(v[1], v[2]);
}

/// The four smallest of `best` and `v`, both sorted, into `best`, sorted: the lower half of a bitonic merge.
template <class Value>
CM_HD void keep_smallest_four(Value (&best)[4], const Value (&v)[4]) {
    for (int i = 0; i < 4; ++i) best[i] = smaller(best[i], v[3 - i]);
    put_in_order(best[0], best[2]);
    put_in_order(best[1], best[3]);
    put_in_order(best[0], best[1]);
    put_in_order(best[2], best[3]);
}

/// Put v among the k smallest, which are sorted.
template <class Value>
CM_HD void insert_sorted(Value* best, std::int64_t k, Value v) {
    for (std::int64_t i = 0; i < k; ++i) put_in_order(best[i], v);
}

}  // namespace clustermass::math
