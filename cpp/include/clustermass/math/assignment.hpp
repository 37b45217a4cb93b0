#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/macros.hpp"

/// Mass assignment along one axis. Positions are in pixels: pixel j covers [j, j + 1) and has its centre at j + 1/2.
/// In two dimensions the shares of the axes multiply. Hockney & Eastwood 1988, section 5-3.
namespace clustermass::math {

/// Shares of a unit mass in `N` consecutive pixels from `first` on; they sum to 1.
template <int N>
struct AxisShare {
    double first;  ///< a whole number, not yet an integer: converting an out-of-range value is undefined
    double share[N];
};

/// Nearest grid point: the pixel that holds the point.
CM_HD AxisShare<1> ngp_share(double x) { return {std::floor(x), {1.0}}; }

/// Cloud in cell: a box one pixel wide around the point.
CM_HD AxisShare<2> cic_share(double x) {
    const double left = std::floor(x - 0.5), f = (x - 0.5) - left;
    return {left, {1.0 - f, f}};
}

/// Triangular-shaped cloud: a triangle two pixels wide around the point.
CM_HD AxisShare<3> tsc_share(double x) {
    const double cell = std::floor(x), d = (x - cell) - 0.5;
    return {cell - 1.0, {0.5 * (0.5 - d) * (0.5 - d), 0.75 - d * d, 0.5 * (0.5 + d) * (0.5 + d)}};
}

/// Derivative of the shares of one axis by the position; they sum to 0. Where a share has a kink (CIC: at a pixel's
/// centre) it is the derivative to the right.
template <int N>
struct AxisSlope {
    double slope[N];
};

CM_HD AxisSlope<1> ngp_slope(double) { return {{0.0}}; }

CM_HD AxisSlope<2> cic_slope(double) { return {{-1.0, 1.0}}; }

CM_HD AxisSlope<3> tsc_slope(double x) {
    const double d = (x - std::floor(x)) - 0.5;
    return {{d - 0.5, -2 * d, d + 0.5}};
}

}  // namespace clustermass::math
