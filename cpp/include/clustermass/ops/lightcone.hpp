#pragma once
#include <cstdint>

#include "clustermass/core/parallel.hpp"
#include "clustermass/core/span.hpp"
#include "clustermass/math/lightcone.hpp"
#include "clustermass/ops/cell_grid.hpp"

namespace clustermass::ops {

inline constexpr std::int64_t kRecord = 6;          ///< numbers per galaxy: position, velocity
inline constexpr std::int64_t kCoarsePadding = 64;  ///< entries behind the last galaxy that loops may read
inline constexpr int kCoarseSteps = 1 << 16;        ///< a cell is cut into this many along each axis

/// Galaxies sorted by cell (last axis fastest), in their given order within a cell. The caller owns the memory.
template <class Real, class Row = const std::int32_t, class Coarse = const std::uint16_t,
          class Index = const std::int64_t>
struct GalaxyIndex {
    CellGrid cells;
    double box;              ///< side of a periodic box, else 0  [Mpc]
    Table<Real> records;     ///< (n, 6) position, wrapped into a periodic box, and velocity
    Span<Row> rows;          ///< (n) row of the galaxy in the caller's arrays
    Span<Index> hosts;       ///< (n) or empty
    Span<Coarse> coarse;     ///< (3 n + padding) per cell all x, then all y, then all z, in steps of a cell
    Span<Index> cell_start;  ///< (cells + 1)
};

template <class Real>
using GalaxyIndexOut = GalaxyIndex<Real, std::int32_t, std::uint16_t, std::int64_t>;
template <class Real>
using GalaxyIndexIn = GalaxyIndex<const Real>;

template <class Real>
struct GalaxyTable {
    Table<const Real> positions, velocities;  ///< (n, 3)
    Span<const std::int64_t> hosts;           ///< (n) or empty
};

enum class IndexResult { done, not_finite, not_representable };

/// Sort galaxies into `out` and find the largest speed. `not_representable`: a position wrapped into the box cannot be
/// told in Real, which must then be double.
template <class Real>
IndexResult build_galaxy_index(const GalaxyTable<Real>& galaxies, const Parallel& run, const GalaxyIndexOut<Real>& out,
                               double& max_speed);

struct LightconeQueries {
    Span<const math::Sightline> sightlines;
    Span<const std::int64_t> targets;  ///< host whose galaxies are members, or empty
    math::HubbleTable table;
    double max_velocity;  ///< [km/s]
    bool is_cone, is_relativistic;
};

/// What was selected, query by query: entry e of query q is offsets[q] + e. Galaxies come in the order of the cells
/// along the line of sight.
struct LightconeOut {
    Span<std::int64_t> offsets;  ///< (queries + 1); those up to the first query to do are read
    Span<std::int64_t> indices;
    Span<double> x, y, velocity, distance;
    Span<bool> is_member;
};

/// Do queries from `first` on until one does not fit into `out`; returns the first that was not done. A galaxy comes
/// once per periodic image that is seen. The result does not depend on the number of threads.
template <class Real>
std::int64_t select_lightcone(const GalaxyIndexIn<Real>& index, const LightconeQueries& queries, std::int64_t first,
                              const Parallel& run, const LightconeOut& out);

}  // namespace clustermass::ops
