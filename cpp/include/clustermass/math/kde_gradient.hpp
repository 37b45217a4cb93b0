#pragma once
#include <cmath>

#include "clustermass/core/macros.hpp"
#include "clustermass/math/kde.hpp"

/// Derivatives of a density estimate by its points and weights. With e_nX = exp(-d P d / 2), d = X - x_n, the raw grid
/// is f_X = sum_n w_n e_nX; g_X is the derivative of the scalar by f_X. The kernel's covariance is C = h^2 S (and a
/// constant where it is degenerate), S the unbiased covariance of the points. Matrices as in math/kde.hpp.
namespace clustermass::math {

/// What all points of a cluster share.
struct DensitySlope {
    double precision[9];  ///< P
    double by_data[9];    ///< derivative of the scalar by S; 0 where the kernel does not depend on the data
    double by_data_times_data, freedom, total, total_squares;  ///< its product with S; of the weights w
    double by_factor;  ///< derivative by log h, over d log h / d log m, m = total^2 / total_squares
    double by_total;   ///< derivative by log total where the density is normalised by it, else 0
    int dims;
};

/// Derivative by C, from the second moments M = sum_n w_n sum_X g e d d^T: P M P / 2, and -P / 2 of `volume`, the
/// derivative of the scalar by the log of a normalisation over the volume of the kernel.
CM_HD void by_covariance(const double* precision, const double* moments, double volume, int dims, double* out) {
    for (int a = 0; a < dims; ++a)
        for (int b = 0; b < dims; ++b) {
            double sum = -volume * precision[3 * a + b];
            for (int c = 0; c < dims; ++c)
                for (int d = 0; d < dims; ++d) sum += precision[3 * a + c] * moments[3 * c + d] * precision[3 * d + b];
            out[3 * a + b] = 0.5 * sum;
        }
}

CM_HD double contract(const double* a, const double* b, int dims) {
    double sum = 0;
    for (int i = 0; i < dims; ++i)
        for (int j = 0; j < dims; ++j) sum += a[3 * i + j] * b[3 * i + j];
    return sum;
}

/// d log h / d log m of a rule for the bandwidth.
CM_HD double factor_slope(Bandwidth rule, int dims) { return rule == Bandwidth::fixed ? 0.0 : -1.0 / (dims + 4); }

/// Derivatives by the point: w P m + 2 w (by S) a / freedom, with m = sum_X g e d and a the point from the mean.
CM_HD void by_point(const DensitySlope& s, double weight, const double* first, const double* away, double* out) {
    const double spread = s.freedom > 0 ? 2 / s.freedom : 0.0;
    for (int a = 0; a < s.dims; ++a) {
        double sum = 0;
        for (int b = 0; b < s.dims; ++b)
            sum += s.precision[3 * a + b] * first[b] + spread * s.by_data[3 * a + b] * away[b];
        out[a] = weight * sum;
    }
}

/// Derivative by the weight: sum_X g e, and what it does to S, to its freedom W - Q / W, to h and to W.
CM_HD double by_weight(const DensitySlope& s, double weight, double value, const double* away) {
    const double share = weight / s.total;
    double sum = value + s.by_total / s.total + 2 * s.by_factor * (1 / s.total - weight / s.total_squares);
    if (s.freedom > 0) {
        double spread = -s.by_data_times_data * (1 - 2 * share + s.total_squares / (s.total * s.total));
        for (int a = 0; a < s.dims; ++a)
            for (int b = 0; b < s.dims; ++b) spread += away[a] * s.by_data[3 * a + b] * away[b];
        sum += spread / s.freedom;
    }
    return sum;
}

}  // namespace clustermass::math
