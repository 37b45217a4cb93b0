#include "lightcone_loops.hpp"

namespace clustermass::ops {
namespace CM_ISA {
namespace {

constexpr int kStep = 32;        ///< galaxies looked at together in coarse positions
constexpr int kSurvivors = 256;  ///< decided together
static_assert(kCoarsePadding >= 2 * kStep, "loops read up to a step behind the last galaxy");

/// Galaxies that may be inside, and what is needed to decide.
struct Survivors {
    alignas(64) double d[3][kSurvivors], w[3][kSurvivors];
    alignas(64) double x[kSurvivors], y[kSurvivors], velocity[kSurvivors], distance[kSurvivors];
    alignas(64) std::int64_t keep[kSurvivors];
    std::int64_t slot[kSurvivors];
    const CellVisit* visit[kSurvivors];
    int n;
};

/// Which of up to kStep galaxies of a cell may be inside the aperture: one byte each.
CM_HD void look(const std::uint16_t* cx, const std::uint16_t* cy, const std::uint16_t* cz, const CellVisit& visit,
                const CoarseAperture& aperture, std::uint8_t* keep) {
    const float (&s)[3][3] = aperture.step;
    for (int i = 0; i < kStep; ++i) {
        const float fx = float(cx[i]), fy = float(cy[i]), fz = float(cz[i]);
        const float x = visit.corner[0] + (s[0][0] * fx + s[0][1] * fy + s[0][2] * fz);
        const float y = visit.corner[1] + (s[1][0] * fx + s[1][1] * fy + s[1][2] * fz);
        const float depth = visit.corner[2] + (s[2][0] * fx + s[2][1] * fy + s[2][2] * fz);
        const float radius = aperture.radius + aperture.slope * depth;
        keep[i] = std::uint8_t((x * x + y * y <= radius * radius) & (depth >= aperture.near) & (depth <= aperture.far));
    }
}

/// Observe the survivors. Out of line and with pointers that promise to be alone, so that the loop becomes vectors.
template <bool IsCone, bool IsRelativistic>
__attribute__((noinline)) void observe_all(const math::Sightline& sightline, const LightconeQueries& queries,
                                           Survivors& __restrict s) {
    const math::Sightline q = sightline;
    const math::HubbleTable table = queries.table;
    const double max_velocity = queries.max_velocity;
    const int n = s.n;
    for (int i = 0; i < n; ++i) {
        const math::Observed o = math::observe<IsCone, IsRelativistic>(q, table, max_velocity, s.d[0][i], s.d[1][i],
                                                                       s.d[2][i], s.w[0][i], s.w[1][i], s.w[2][i]);
        s.x[i] = o.x;
        s.y[i] = o.y;
        s.velocity[i] = o.velocity;
        s.distance[i] = o.distance;
        s.keep[i] = std::int64_t(o.is_selected);
    }
}

template <bool IsCone, bool IsRelativistic, class Real>
struct Selector {
    const GalaxyIndexIn<Real>& index;
    const LightconeQueries& queries;
    const math::Sightline& query;
    const std::int64_t target;
    SelectionRoom& room;
    Survivors& survivors;

    /// Decide on all survivors, from the positions as given and in float64, and empty the list.
    void decide() {
        Survivors& s = survivors;
        const int n = s.n;
        for (int i = 0; i < n; ++i) {
            const Real* const record = index.records.row(s.slot[i]);
            for (int a = 0; a < 3; ++a) s.d[a][i] = double(record[a]) - s.visit[i]->centre[a];
            for (int a = 0; a < 3; ++a) s.w[a][i] = double(record[3 + a]);
        }
        observe_all<IsCone, IsRelativistic>(query, queries, s);
        const bool knows_members = target >= 0 && index.hosts.size > 0;
        std::int64_t to = room.size;
        for (int i = 0; i < n; ++i) {  // no branch: the room holds all candidates
            room.indices[to] = index.rows[s.slot[i]];
            room.x[to] = s.x[i];
            room.y[to] = s.y[i];
            room.velocity[to] = s.velocity[i];
            room.distance[to] = s.distance[i];
            room.is_member[to] = knows_members && index.hosts[s.slot[i]] == target;
            to += s.keep[i];
        }
        room.size = to;
        s.n = 0;
    }

    void visit(const CellVisit& cell, const CoarseAperture& aperture) {
        const std::int64_t size = cell.end - cell.begin;
        const std::uint16_t* const cx = index.coarse.data + 3 * cell.begin;
        for (std::int64_t from = 0; from < size; from += kStep) {
            alignas(64) std::uint8_t keep[kStep];
            look(cx + from, cx + size + from, cx + 2 * size + from, cell, aperture, keep);
            if (survivors.n > kSurvivors - kStep) decide();
            const int n = int(size - from < kStep ? size - from : kStep);
            for (int word = 0; word < kStep / 8; ++word) {
                std::uint64_t flags;
                __builtin_memcpy(&flags, keep + 8 * word, sizeof(flags));
                for (; flags; flags &= flags - 1) {
                    const int i = 8 * word + __builtin_ctzll(flags) / 8;
                    if (i >= n) break;  // what lies behind the cell
                    const std::int64_t slot = cell.begin + from + i;
                    __builtin_prefetch(index.records.row(slot));
                    __builtin_prefetch(index.rows.data + slot);
                    survivors.slot[survivors.n] = slot;
                    survivors.visit[survivors.n] = &cell;
                    ++survivors.n;
                }
            }
        }
    }
};

template <bool IsCone, bool IsRelativistic, class Real>
void select_as(const GalaxyIndexIn<Real>& index, const LightconeQueries& queries, const math::Sightline& query,
               const CoarseAperture& aperture, Span<const CellVisit> visits, std::int64_t target, SelectionRoom& room) {
    Survivors survivors;  // not initialised: filled from the front
    survivors.n = 0;
    Selector<IsCone, IsRelativistic, Real> selector{index, queries, query, target, room, survivors};
    for (std::int64_t v = 0; v < visits.size; ++v) selector.visit(visits[v], aperture);
    selector.decide();
}

template <class Real>
void select(const GalaxyIndexIn<Real>& index, const LightconeQueries& queries, const math::Sightline& query,
            const CoarseAperture& aperture, Span<const CellVisit> visits, std::int64_t target, SelectionRoom& room) {
    if (queries.is_cone)
        queries.is_relativistic ? select_as<true, true>(index, queries, query, aperture, visits, target, room)
                                : select_as<true, false>(index, queries, query, aperture, visits, target, room);
    else
        queries.is_relativistic ? select_as<false, true>(index, queries, query, aperture, visits, target, room)
                                : select_as<false, false>(index, queries, query, aperture, visits, target, room);
}

}  // namespace

const LightconeLoops kLightconeLoops{{&select<float>}, {&select<double>}};

}  // namespace CM_ISA
}  // namespace clustermass::ops
