#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/macros.hpp"

/// Terms of estimators of location and scale; `Real` is a number or a vector of them.
namespace clustermass::math {

inline constexpr double kLocationTuning = 6.0;  ///< biweight location: values this many MADs away have no weight
inline constexpr double kScaleTuning = 9.0;     ///< the same of the biweight scale

/// Weight (1 - u^2)^2 of a value u tuning lengths from the middle; none at u^2 >= 1.
template <class Real>
CM_HD Real biweight_weight(Real u2) {
    const Real rest = 1.0 - u2;
    return u2 < 1.0 ? rest * rest : Real{};
}

/// Term of the numerator of the biweight scale: d^2 (1 - u^2)^4.
template <class Real>
CM_HD Real biweight_square(Real d, Real u2) {
    const Real weight = biweight_weight(u2);
    return d * d * (weight * weight);
}

/// Term of its denominator: (1 - u^2) (1 - 5 u^2).
template <class Real>
CM_HD Real biweight_slope(Real u2) {
    const Real term = (1.0 - u2) * (1.0 - 5.0 * u2);
    return u2 < 1.0 ? term : Real{};
}

CM_HD double biweight_scale(std::int64_t n, double squares, double slopes) {
    return std::sqrt(double(n) * squares) / std::fabs(slopes);
}

/// sqrt(pi) / (n (n - 1)) of the sum of i (n - i) times gap i, i from 1 (Wainer & Thissen 1976).
CM_HD double gapper_scale(std::int64_t n, double weighted_gaps) {
    constexpr double kRootPi = 1.7724538509055160273;
    return kRootPi * weighted_gaps / (double(n) * double(n - 1));
}

/// Square less the mean square of the measurement errors; 0 where these are larger.
CM_HD double without_errors(double sigma, double mean_square_error) {
    const double square = sigma * sigma - mean_square_error;
    return mean_square_error == 0 ? sigma : square > 0 ? std::sqrt(square) : 0.0;
}

/// Rank, from either end, of the quartiles of the shifting gapper: ceil(n / 4).
CM_HD std::int64_t quartile_rank(std::int64_t n) { return (n + 3) / 4; }

/// Standard deviation of a Gaussian whose quartiles are this far apart.
CM_HD double sigma_of_quartiles(double apart) { return apart / 1.349; }

}  // namespace clustermass::math
