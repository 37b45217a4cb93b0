#pragma once
#include "clustermass/math/kde.hpp"
#include "kde_points.hpp"

/// What a block of points contributes along each axis of a part of the grid, cross terms apart (docs/phase-space.md).
/// For the loops of kde and kde_gradient.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

/// Part of the grid; positions in cells from the middle of the grid.
struct Tile {
    std::int64_t first[3], n[3];
    double middle[3], half[3];
};

/// What a block of points contributes along each slot of a tile.
struct Terms {
    alignas(64) double constant[3][kPoints], slope[3][kPoints];
};

/// p: the six numbers of the precision. Points that no number of the type could show are put out.
void make_terms(const Block& block, const Tile& tile, const double* p, double lowest, double shift, Terms& terms) {
    using Lane = Vector<double>;
    const double curvature[3] = {p[0], p[3], p[5]};
    Lane inverse[3], low[3], high[3];
    for (int s = 0; s < 3; ++s) {
        inverse[s] = Lane{} + (curvature[s] > 0 ? -1 / curvature[s] : 0.0);
        low[s] = Lane{} - tile.half[s];
        high[s] = Lane{} + tile.half[s];
    }
    for (std::int64_t i = 0; i < block.n_padded; i += kLanes<double>) {
        Lane a[3], k[3];
        for (int s = 0; s < 3; ++s) a[s] = tile.middle[s] - load(block.x[s] + i);
        const Lane g[3] = {p[0] * a[0] + p[1] * a[1] + p[2] * a[2], p[1] * a[0] + p[3] * a[1] + p[4] * a[2],
                           p[2] * a[0] + p[4] * a[1] + p[5] * a[2]};
        for (int s = 0; s < 3; ++s) {
            const Lane vertex = g[s] * inverse[s], above = vertex > low[s] ? vertex : low[s];
            k[s] = above < high[s] ? above : high[s];
        }
        const Lane largest = p[1] * k[0] * k[1] + p[2] * k[0] * k[2] + p[4] * k[1] * k[2] -
                             math::half_form(p, a[0] + k[0], a[1] + k[1], a[2] + k[2]);
        const auto counts = largest > lowest;
        for (int s = 0; s < 3; ++s) {
            const auto term = math::axis_term<Lane>(counts ? g[s] : -curvature[s] * k[s], curvature[s], k[s]);
            const Lane whole = s > 0 ? Lane{} + shift : shift + (counts ? largest : Lane{} - 1e5);
            store(terms.constant[s] + i, term.constant + whole);
            store(terms.slope[s] + i, term.slope);
        }
    }
}

}  // namespace
}  // namespace CM_ISA
}  // namespace clustermass::ops
