#pragma once
#include "clustermass/math/kde_gradient.hpp"
#include "clustermass/ops/kde_body.hpp"

/// What every device does alike for the gradient of a density estimate, once the sums over cells are there.
namespace clustermass::ops {

/// What all points of a cluster share. `second`: sum over points and cells of w g e d d^T, of axes. `by_volume`: what
/// the scalar loses as the log of the volume grows that the density is normalised by.
CM_HD math::DensitySlope make_slope(const KdeRule& rule, const Kernel& kernel, const KdeMoments& moments,
                                    const double* second, double by_volume, int dims) {
    math::DensitySlope slope{};
    slope.dims = dims;
    slope.total = moments.total;
    slope.total_squares = moments.total_squares;
    slope.by_total = rule.normalise == KdeNormalise::density ? -by_volume : 0.0;
    for (int i = 0; i < 9; ++i) slope.precision[i] = kernel.shape.precision[i];
    const double freedom = moments.total - moments.total_squares / moments.total;
    if (rule.kernel.size > 0 || !(freedom > 1e-14 * moments.total)) return slope;  // the kernel is what it is
    double by_kernel[9] = {};
    math::by_covariance(kernel.shape.precision, second, by_volume, dims, by_kernel);
    for (int i = 0; i < 9; ++i) slope.by_data[i] = kernel.factor * kernel.factor * by_kernel[i];
    slope.freedom = freedom;
    slope.by_data_times_data = math::contract(slope.by_data, moments.covariance, dims);
    slope.by_factor = 2 * slope.by_data_times_data * math::factor_slope(rule.bandwidth, dims);
    return slope;
}

}  // namespace clustermass::ops
