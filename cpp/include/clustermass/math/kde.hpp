#pragma once
#include <cmath>

#include "clustermass/core/macros.hpp"

/// The kernel of a density estimate: its width rule and its inverse covariance. Matrices are 3 x 3 in row order, of
/// which the first `dims` rows and columns count; lengths are in cells.
namespace clustermass::math {

constexpr double kLeastWidth = 1e-6;          ///< [cell] a kernel narrower than this along an axis is degenerate
constexpr double kLeastIndependence = 1e-12;  ///< so is one with less of a variance left, given the other axes
constexpr double kAddedWidth = 0.5;  ///< [cell] width that a degenerate kernel is broadened by, along every axis

enum class Bandwidth { fixed, scott, silverman };

/// Factor between the standard deviations of the data and those of the kernel, as scipy.stats.gaussian_kde has it.
CM_HD double bandwidth_factor(Bandwidth rule, double fixed, double effective_n, int dims) {
    const double d = dims;
    if (rule == Bandwidth::scott) return std::pow(effective_n, -1 / (d + 4));
    if (rule == Bandwidth::silverman) return std::pow(effective_n * (d + 2) / 4, -1 / (d + 4));
    return fixed;
}

struct KernelShape {
    double precision[9];  ///< inverse of the covariance
    double width;         ///< root of the determinant of the covariance
    bool is_degenerate;
};

/// Inverse of a covariance through the Cholesky factor of its correlations, so that the units of the axes do not
/// matter. The result has no NaN whatever the covariance, as long as it is finite.
CM_HD KernelShape invert(const double* covariance, int dims) {
    KernelShape shape{{}, 1, false};
    double sigma[3] = {1, 1, 1}, factor[9] = {}, inverse[9] = {};
    for (int i = 0; i < dims; ++i) {
        const double variance = covariance[4 * i];
        shape.is_degenerate |= !(variance >= kLeastWidth * kLeastWidth);
        sigma[i] = std::sqrt(std::fmax(variance, kLeastWidth * kLeastWidth));
    }
    for (int i = 0; i < dims; ++i) {
        double pivot = 1;
        for (int j = 0; j < i; ++j) {
            double value = covariance[3 * i + j] / sigma[i] / sigma[j];
            for (int k = 0; k < j; ++k) value -= factor[3 * i + k] * factor[3 * j + k];
            factor[3 * i + j] = value / factor[4 * j];
            pivot -= factor[3 * i + j] * factor[3 * i + j];
        }
        shape.is_degenerate |= !(pivot >= kLeastIndependence);
        factor[4 * i] = std::sqrt(std::fmax(pivot, 1e-3 * kLeastIndependence));
        shape.width *= factor[4 * i] * sigma[i];
    }
    for (int i = 0; i < dims; ++i) {  // inverse of the triangle
        inverse[4 * i] = 1 / factor[4 * i];
        for (int j = 0; j < i; ++j) {
            double value = 0;
            for (int k = j; k < i; ++k) value -= factor[3 * i + k] * inverse[3 * k + j];
            inverse[3 * i + j] = value / factor[4 * i];
        }
    }
    for (int i = 0; i < dims; ++i)
        for (int j = 0; j < dims; ++j)
            for (int k = 0; k < dims; ++k)
                shape.precision[3 * i + j] += inverse[3 * k + i] / sigma[i] * (inverse[3 * k + j] / sigma[j]);
    return shape;
}

/// The kernel of data with this covariance [cell^2] times the factor squared. Where it has no width in some
/// direction (one point, points that coincide or lie on a line or a plane) half a cell is added along every axis.
CM_HD KernelShape kernel_of(const double* data_covariance, double factor, int dims) {
    double covariance[9];
    for (int i = 0; i < 9; ++i) covariance[i] = data_covariance[i] * factor * factor;
    const KernelShape shape = invert(covariance, dims);
    if (!shape.is_degenerate) return shape;
    for (int i = 0; i < dims; ++i) covariance[4 * i] += kAddedWidth * kAddedWidth;
    return invert(covariance, dims);
}

/// Along one axis of a tile, a point contributes exp2(constant + slope k - curvature k^2 / 2) at the cell k from the
/// middle of the tile; it is at most 1 anywhere on the tile. `Value` is a number or a vector of numbers, one per point.
template <class Value>
struct AxisTerm {
    Value constant, slope;
};

/// `gradient` of the exponent at the middle of the tile, `vertex` the place of the largest value on the tile.
template <class Value>
CM_HD AxisTerm<Value> axis_term(Value gradient, double curvature, Value vertex) {
    const Value slope = -(gradient + curvature * vertex);
    return {-vertex * (slope + 0.5 * curvature * vertex), slope + curvature * vertex};
}

/// d P d / 2 for the upper triangle P = {00, 01, 02, 11, 12, 22}.
template <class Value>
CM_HD Value half_form(const double* p, Value d0, Value d1, Value d2) {
    return 0.5 * (p[0] * d0 * d0 + p[3] * d1 * d1 + p[5] * d2 * d2) +
           (p[1] * d0 * d1 + p[2] * d0 * d2 + p[4] * d1 * d2);
}

}  // namespace clustermass::math
