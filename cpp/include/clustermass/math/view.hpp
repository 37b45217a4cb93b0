#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/macros.hpp"

/// Geometry of a view: an image of the particles around a centre, seen along one direction by a distant observer.
namespace clustermass::math {

struct View {
    double centre[3];   ///< [Mpc]
    double axes[3][3];  ///< unit vectors of the row axis, the column axis and the line of sight
    double per_pixel;   ///< 1 / pixel size  [1/Mpc]
};

/// Position in the image [pixel] and along the line of sight [Mpc], from the centre of the view.
struct ViewPoint {
    double row, col, depth;
};

CM_HD ViewPoint view_point(const View& view, double dx, double dy, double dz) {
    const double (&a)[3][3] = view.axes;
    return {(a[0][0] * dx + a[0][1] * dy + a[0][2] * dz) * view.per_pixel,
            (a[1][0] * dx + a[1][1] * dy + a[1][2] * dz) * view.per_pixel, a[2][0] * dx + a[2][1] * dy + a[2][2] * dz};
}

/// The slab is half open, so that two slabs that meet share no particle, nor a slab as deep as a periodic box with its
/// own image.
CM_HD bool in_slab(double depth, double half_depth) { return (depth >= -half_depth) & (depth < half_depth); }

}  // namespace clustermass::math
