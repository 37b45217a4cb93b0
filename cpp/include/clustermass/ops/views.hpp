#pragma once
#include <cstdint>

#include "clustermass/core/parallel.hpp"
#include "clustermass/core/span.hpp"
#include "clustermass/math/view.hpp"
#include "clustermass/ops/cell_grid.hpp"
#include "clustermass/ops/project.hpp"

namespace clustermass::ops {

/// Particles sorted by cell (last axis fastest), in their given order within a cell. The caller owns the memory.
template <class Real, class Index = const std::int64_t>
struct ParticleIndex {
    CellGrid cells;
    Span<Real> x, y, z;           ///< (n) wrapped into a periodic box  [Mpc]
    Table<Real> weights;          ///< (n, channels)
    Span<Real> smoothing_length;  ///< (n) or empty  [Mpc]
    Span<Index> cell_start;       ///< (cells + 1)
};

/// Sort the particles into `out`, whose memory the caller provides. Returns false where a value is NaN or infinite or
/// a smoothing length is negative.
template <class Real>
bool build_index(const Particles<Real>& particles, const Parallel& run, const ParticleIndex<Real, std::int64_t>& out);

struct ViewsParams {
    Assignment assignment;
    math::SphKernel kernel;
    double half_depth;   ///< of the slab before and behind the centre  [Mpc]
    double max_support;  ///< largest smoothing length, 0 where none is used  [Mpc]
    bool add;            ///< add to what the images hold
};

/// Images (view, channel, row, column) of the particles around each centre (CPU). Sums are float64; the bits do not
/// depend on the number of threads; no particle is copied.
template <class Real, class Out>
void project_views(const ParticleIndex<const Real>& index, Span<const math::View> views, const ViewsParams& params,
                   std::int64_t rows, std::int64_t cols, const Parallel& run, Out* images);

}  // namespace clustermass::ops
