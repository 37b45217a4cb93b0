#pragma once
#include <cmath>
#include <cstdint>

#include "clustermass/core/macros.hpp"

/// What an observer sees of one galaxy: where it lies in the plane of the sky around a centre, and how fast it moves
/// away from the centre. Only + - * / sqrt and conversions, in a fixed order: the same bits on every backend.
namespace clustermass::math {

inline constexpr double kSpeedOfLight = 299792.458;  ///< [km/s]
inline constexpr double kPerC2 = 1.0 / (kSpeedOfLight * kSpeedOfLight);

/// One line of sight through a centre.
struct Sightline {
    double centre[3];   ///< [Mpc]
    double axes[3][3];  ///< unit vectors: x, y and the line of sight away from the observer
    double aperture;    ///< largest distance from the axis, in the plane through the centre  [Mpc]
    double near, far;   ///< depths between which a galaxy can have a velocity inside the window  [Mpc]
    double distance;    ///< of the centre from the observer  [Mpc]
    double velocity;    ///< of the centre: recession and peculiar where relativistic, else peculiar  [km/s]
    double hubble;      ///< recession velocity per depth; used where not relativistic  [km/s/Mpc]
};

/// Recession velocity as a function of the distance from the observer: cubic polynomials on equal intervals.
struct HubbleTable {
    const double* coefficients;  ///< (4, n), lowest power first, of the place in the interval from 0 to 1  [km/s]
    std::int64_t n;
    double start;     ///< of the first interval  [Mpc]
    double per_step;  ///< 1 / length of an interval  [1/Mpc]
};

/// Recession velocity [km/s]. The first polynomial goes on for one interval before the table, the last one behind it;
/// what comes further before has no meaning, and no memory outside the table is read for it.
CM_HD double recession_velocity(const HubbleTable& table, double distance) {
    const double s = (distance - table.start) * table.per_step, last = double(table.n - 1);
    const double inside = std::fabs(s);  // not a maximum with 0: loops with a constant place in them stay scalar
    const int k = int(inside < last ? inside : last);
    const double t = s - double(k);
    const double *const a = table.coefficients, *const b = a + table.n, *const c = b + table.n, *const d = c + table.n;
    return a[k] + t * (b[k] + t * (c[k] + t * d[k]));
}

/// Relativistic sum and difference of two velocities along one line [km/s].
CM_HD double add_velocities(double a, double b) { return (a + b) / (1.0 + a * b * kPerC2); }
CM_HD double subtract_velocities(double a, double b) { return (a - b) / (1.0 - a * b * kPerC2); }

struct Observed {
    double x, y;      ///< in the plane through the centre  [Mpc]
    double velocity;  ///< along the line of sight, relative to the centre  [km/s]
    double distance;  ///< from the centre, in space  [Mpc]
    bool is_selected;
};

/// A galaxy at (dx, dy, dz) from the centre with peculiar velocity (wx, wy, wz). In a cylinder x and y are parallel to
/// the sky; in a cone they are where the ray from the observer through the galaxy meets the plane through the centre.
template <bool IsCone, bool IsRelativistic>
CM_HD Observed observe(const Sightline& q, const HubbleTable& table, double max_velocity, double dx, double dy,
                       double dz, double wx, double wy, double wz) {
    const double (&a)[3][3] = q.axes;
    Observed o{};
    o.x = a[0][0] * dx + a[0][1] * dy + a[0][2] * dz;
    o.y = a[1][0] * dx + a[1][1] * dy + a[1][2] * dz;
    const double depth = a[2][0] * dx + a[2][1] * dy + a[2][2] * dz;
    const double along = a[2][0] * wx + a[2][1] * wy + a[2][2] * wz;
    const double from_observer = q.distance + depth;
    if constexpr (IsCone) {
        const double scale = q.distance / from_observer;
        o.x = o.x * scale;
        o.y = o.y * scale;
    }
    bool in = (o.x * o.x + o.y * o.y <= q.aperture * q.aperture) & (depth >= q.near) & (depth <= q.far);
    if constexpr (IsCone || IsRelativistic) in = in & (from_observer > 0);
    if constexpr (IsRelativistic)
        o.velocity = subtract_velocities(add_velocities(recession_velocity(table, from_observer), along), q.velocity);
    else
        o.velocity = q.hubble * depth + (along - q.velocity);
    o.distance = std::sqrt(dx * dx + dy * dy + dz * dz);
    o.is_selected = in & (std::fabs(o.velocity) < max_velocity);
    return o;
}

}  // namespace clustermass::math
