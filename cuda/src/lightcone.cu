#include <algorithm>
#include <cmath>
#include <type_traits>

#include "clustermass/ops/cell_walk.hpp"
#include "clustermass_cuda/launch.cuh"
#include "clustermass_cuda/ops.hpp"
#include "clustermass_cuda/sort.hpp"

/// Light cones: measure, count, scan, fill. Compiled without contraction to fused multiply-add: what is seen, and all
/// values, have the bits of every other backend.
namespace clustermass::cuda {
namespace {

static_assert(sizeof(math::Sightline) == 18 * sizeof(double), "Python fills it as 18 numbers");

constexpr std::int64_t kLineCost = 8;  ///< of finding a line of cells, in galaxies

/// The cells that slice t of all queries' slices crosses, line by line in the order of the whole walk.
template <class Real>
struct Slices {
    ops::GalaxyIndexIn<Real> index;
    ops::LightconeQueries queries;
    std::int64_t per_query;

    template <class Line>
    __device__ void walk(std::int64_t t, const Line& line) const {
        const math::Sightline& q = queries.sightlines[t / per_query];
        const double slope = queries.is_cone ? q.aperture / q.distance : 0.0;
        const double radius = q.aperture + slope * std::fmax(q.far, 0.0);
        const double* const size = index.cells.size;
        const double margin = 1e-6 * (size[0] + size[1] + size[2] + radius + std::fabs(q.near) + std::fabs(q.far));
        const double reach = radius + margin;
        ops::walk_cells(index.cells, {q.centre, q.axes, reach, reach, q.near - margin, q.far + margin}, line,
                        {t % per_query, per_query});
    }

    template <class Run>
    __device__ void runs(std::int64_t i, std::int64_t j, ops::CellRange along, const Run& run) const {
        ops::runs_of_line(index.cells, index.cell_start.data, i, j, along, run);
    }
};

/// What a slice costs: its galaxies, and something for each line of cells.
template <class Real>
struct MeasureSlices {
    Slices<Real> slices;
    std::int64_t* costs;
    __device__ void operator()(std::int64_t t) const {
        std::int64_t cost = 0;
        slices.walk(t, [&](std::int64_t i, std::int64_t j, ops::CellRange along) {
            cost += kLineCost;
            slices.runs(i, j, along,
                        [&](std::int64_t begin, std::int64_t end, const std::int64_t (&)[3]) { cost += end - begin; });
        });
        costs[t] = cost;
    }
};

/// Each thread looks at an equal share of all that slices cost: galaxies [low, high) of those that the walks meet,
/// lines counted among them. With `Fills` it writes what it sees, from starts[share] on; else it counts.
template <class Real, bool IsCone, bool IsRelativistic, bool Fills>
struct LookAtShares {
    Slices<Real> slices;
    const std::int64_t* costs;  ///< (n_slices + 1) of all slices before
    std::int64_t n_slices, n_shares;
    std::int64_t* starts;       ///< (n_shares): how many each share sees, or where they go
    std::int64_t* n_per_query;  ///< where counted
    ops::LightconeOut out;

    __device__ void operator()(std::int64_t share) const {
        const std::int64_t total = costs[n_slices], low = share_begin(total, share, n_shares),
                           high = share_begin(total, share + 1, n_shares);
        std::int64_t to = Fills ? starts[share] : 0;
        for (std::int64_t t = slice_of(low); t < n_slices && costs[t] < high; ++t) {
            const std::int64_t before = to;
            look(t, low, high, to);
            if (!Fills && to > before)
                atomicAdd(reinterpret_cast<unsigned long long*>(n_per_query) + t / slices.per_query,
                          static_cast<unsigned long long>(to - before));
        }
        if (!Fills) starts[share] = to;
    }

private:
    /// The last slice that begins at `cost` or before.
    __device__ std::int64_t slice_of(std::int64_t cost) const {
        std::int64_t first = 0, last = n_slices - 1;
        while (first < last) {
            const std::int64_t middle = first + (last - first + 1) / 2;
            if (costs[middle] <= cost)
                first = middle;
            else
                last = middle - 1;
        }
        return first;
    }

    __device__ void look(std::int64_t t, std::int64_t low, std::int64_t high, std::int64_t& to) const {
        const std::int64_t query = t / slices.per_query;
        std::int64_t at = costs[t];
        slices.walk(t, [&](std::int64_t i, std::int64_t j, ops::CellRange along) {
            if (at >= high) return;
            at += kLineCost;
            slices.runs(i, j, along, [&](std::int64_t begin, std::int64_t end, const std::int64_t (&boxes)[3]) {
                // Galaxy `slot` stands at at + (slot - begin).
                const std::int64_t from = low > at ? begin + (low - at) : begin,
                                   until = high - at < end - begin ? begin + (high - at) : end;
                at += end - begin;
                if (from >= until) return;
                double centre[3];
                for (int a = 0; a < 3; ++a)
                    centre[a] = slices.queries.sightlines[query].centre[a] - double(boxes[a]) * slices.index.box;
                for (std::int64_t slot = from; slot < until; ++slot) one(query, slot, centre, to);
            });
        });
    }

    __device__ void one(std::int64_t query, std::int64_t slot, const double (&centre)[3], std::int64_t& to) const {
        const ops::LightconeQueries& all = slices.queries;
        const Real* const record = slices.index.records.row(slot);
        const math::Observed o = math::observe<IsCone, IsRelativistic>(
            all.sightlines[query], all.table, all.max_velocity, double(record[0]) - centre[0],
            double(record[1]) - centre[1], double(record[2]) - centre[2], double(record[3]), double(record[4]),
            double(record[5]));
        if (!o.is_selected) return;
        if constexpr (Fills) {
            const std::int64_t target = all.targets.size ? all.targets[query] : -1;
            out.indices[to] = slices.index.rows[slot];
            out.x[to] = o.x;
            out.y[to] = o.y;
            out.velocity[to] = o.velocity;
            out.distance[to] = o.distance;
            out.is_member[to] = target >= 0 && slices.index.hosts.size && slices.index.hosts[slot] == target;
        }
        ++to;
    }
};

/// Scratch, one piece after another.
struct Workspace {
    LightconePlan plan;
    std::int64_t for_scan;
    explicit Workspace(std::int64_t n_queries)
        : plan(plan_lightcone(n_queries)),
          for_scan(
              std::max({scan_scratch(plan.n_slices + 1), scan_scratch(plan.shares), scan_scratch(n_queries + 1)})) {}
    std::int64_t size() const { return plan.n_slices + 1 + plan.shares + for_scan; }
    std::int64_t* costs(std::int64_t* memory) const { return memory; }
    std::int64_t* starts(std::int64_t* memory) const { return memory + plan.n_slices + 1; }
    std::int64_t* scan(std::int64_t* memory) const { return starts(memory) + plan.shares; }
};

template <class Real, bool Fills>
void look(const ops::GalaxyIndexIn<Real>& index, const ops::LightconeQueries& queries, const Workspace& space,
          std::int64_t* memory, const Queue& queue, const ops::LightconeOut& out) {
    const Slices<Real> slices{index, queries, space.plan.slices};
    const auto run = [&](auto cone, auto relativistic) {
        using Body = LookAtShares<Real, decltype(cone)::value, decltype(relativistic)::value, Fills>;
        for_each_index(space.plan.shares,
                       Body{slices, space.costs(memory), space.plan.n_slices, space.plan.shares, space.starts(memory),
                            out.offsets.data, out},
                       queue, "lightcone");
    };
    using Yes = std::true_type;
    using No = std::false_type;
    if (queries.is_cone)
        queries.is_relativistic ? run(Yes{}, Yes{}) : run(Yes{}, No{});
    else
        queries.is_relativistic ? run(No{}, Yes{}) : run(No{}, No{});
}

template <class Real>
void check(const ops::GalaxyIndexIn<Real>& index, const ops::LightconeQueries& queries, std::int64_t needed,
           Span<std::int64_t> scratch) {
    check_cells(index.cells);
    if (queries.targets.size && queries.targets.size != queries.sightlines.size)
        throw ArrayError("lightcone: the arrays of the queries do not fit together");
    if (queries.sightlines.size > 0 && queries.is_relativistic && queries.table.n < 1)
        throw ArrayError("lightcone: relativistic velocities need a table of recession velocities");
    if (scratch.size < needed) throw ArrayError("lightcone: scratch must hold " + std::to_string(needed) + " numbers");
}

}  // namespace

std::int64_t lightcone_scratch(std::int64_t n_queries) { return Workspace(n_queries).size(); }

template <class Real>
std::int64_t count_lightcone(const ops::GalaxyIndexIn<Real>& index, const ops::LightconeQueries& queries,
                             Span<std::int64_t> scratch, const Queue& queue, Span<std::int64_t> offsets) {
    const std::int64_t n = queries.sightlines.size;
    const Workspace space(n);
    check(index, queries, space.size(), scratch);
    std::int64_t *const costs = space.costs(scratch.data), *const spare = space.scan(scratch.data);
    clear(offsets.data, n + 1, queue, "lightcone");
    if (n == 0) return 0;
    clear(costs + space.plan.n_slices, 1, queue, "lightcone");
    for_each_index(space.plan.n_slices, MeasureSlices<Real>{{index, queries, space.plan.slices}, costs}, queue,
                   "lightcone");
    exclusive_scan(costs, space.plan.n_slices + 1, spare, queue, "lightcone");
    look<Real, false>(index, queries, space, scratch.data, queue, {offsets, {}, {}, {}, {}, {}, {}});
    exclusive_scan(space.starts(scratch.data), space.plan.shares, spare, queue, "lightcone");
    exclusive_scan(offsets.data, n + 1, spare, queue, "lightcone");
    std::int64_t total = 0;
    download({reinterpret_cast<unsigned char*>(&total), std::int64_t(sizeof(total))},
             reinterpret_cast<const unsigned char*>(offsets.data + n), queue);
    return total;
}

template <class Real>
void fill_lightcone(const ops::GalaxyIndexIn<Real>& index, const ops::LightconeQueries& queries,
                    Span<std::int64_t> scratch, const Queue& queue, const ops::LightconeOut& out) {
    const Workspace space(queries.sightlines.size);
    check(index, queries, space.size(), scratch);
    if (out.indices.size > 0) look<Real, true>(index, queries, space, scratch.data, queue, out);
}

#define CM_INSTANTIATE(Real)                                                                                   \
    template std::int64_t count_lightcone<Real>(const ops::GalaxyIndexIn<Real>&, const ops::LightconeQueries&, \
                                                Span<std::int64_t>, const Queue&, Span<std::int64_t>);         \
    template void fill_lightcone<Real>(const ops::GalaxyIndexIn<Real>&, const ops::LightconeQueries&,          \
                                       Span<std::int64_t>, const Queue&, const ops::LightconeOut&);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::cuda
