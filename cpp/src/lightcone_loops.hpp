#pragma once
#include "clustermass/ops/lightcone.hpp"

namespace clustermass::ops {

/// A cell that a line of sight may cross.
struct CellVisit {
    std::int64_t begin, end;  ///< its galaxies
    double centre[3];         ///< of the line of sight, moved by whole boxes  [Mpc]
    float corner[3];          ///< x, y and depth of the first coarse step of the cell  [Mpc]
};

/// The aperture with a margin that covers the rounding of coarse positions and of float32.
struct CoarseAperture {
    float step[3][3];     ///< x, y, depth per coarse step along each axis of the box  [Mpc]
    float radius, slope;  ///< radius of the aperture at depth 0 and its growth with depth
    float near, far;
};

/// Room for the galaxies of some queries; loops add behind `size`.
struct SelectionRoom {
    std::int64_t size;
    std::int64_t* indices;
    double *x, *y, *velocity, *distance;
    bool* is_member;
};

inline constexpr std::int64_t kNoTarget = -1;

template <class Real>
struct LightconeLoop {
    /// Add what the query sees of the visited cells. The room must hold all their galaxies.
    void (*select)(const GalaxyIndexIn<Real>&, const LightconeQueries&, const math::Sightline&, const CoarseAperture&,
                   Span<const CellVisit>, std::int64_t target, SelectionRoom&);
};

/// Steps of the index: where galaxies go, and sorting those of some cells that lie side by side.
template <class Real>
struct GalaxySort {
    /// Count galaxies [begin, end) per bucket of 2^shift cells; find the largest speed squared.
    IndexResult (*count)(const GalaxyTable<Real>&, const GalaxyIndexOut<Real>&, std::int64_t begin, std::int64_t end,
                         int shift, std::int64_t* counts, double& max_speed_squared);
    /// Move them to their buckets: next[bucket] is the place of the next galaxy.
    void (*distribute)(const GalaxyTable<Real>&, const GalaxyIndexOut<Real>&, std::int64_t begin, std::int64_t end,
                       int shift, std::int64_t* next);
    /// Sort galaxies [begin, end), which fill cells [first, last), into cells. Scratch: a copy of all of them, their
    /// cells, and a place per cell.
    void (*sort)(const GalaxyTable<Real>&, const GalaxyIndexOut<Real>&, std::int64_t begin, std::int64_t end,
                 std::int64_t first, std::int64_t last, Real* records, std::int32_t* rows, std::int32_t* cells,
                 std::int64_t* next);
};

struct LightconeLoops {
    LightconeLoop<float> select_f32;
    LightconeLoop<double> select_f64;
};

struct GalaxyIndexLoops {
    GalaxySort<float> sort_f32;
    GalaxySort<double> sort_f64;
};

namespace baseline {
extern const LightconeLoops kLightconeLoops;
extern const GalaxyIndexLoops kGalaxyIndexLoops;
}  // namespace baseline
namespace avx2 {
extern const LightconeLoops kLightconeLoops;
extern const GalaxyIndexLoops kGalaxyIndexLoops;
}  // namespace avx2
namespace avx512 {
extern const LightconeLoops kLightconeLoops;
extern const GalaxyIndexLoops kGalaxyIndexLoops;
}  // namespace avx512

}  // namespace clustermass::ops
