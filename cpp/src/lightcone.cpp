#include "clustermass/ops/lightcone.hpp"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"
#include "clustermass/ops/cell_walk.hpp"
#include "lightcone_loops.hpp"

namespace clustermass::ops {
namespace {

constexpr std::int64_t kChunk = 16;               // queries that share their room
constexpr std::int64_t kFirstRoom = 4096;         // galaxies
constexpr std::int64_t kPrefetched = 512;         // coarse numbers of a cell; the processor goes on by itself
constexpr std::int64_t kMaxCandidates = 1 << 16;  // that the loop is given at a time, or one cell

const LightconeLoops& loops() {
#if defined(CM_MULTI_ISA)
    return choose(best_isa(), &baseline::kLightconeLoops, &avx2::kLightconeLoops, &avx512::kLightconeLoops);
#else
    return baseline::kLightconeLoops;
#endif
}

const LightconeLoop<float>& loop_of(const GalaxyIndexIn<float>&) { return loops().select_f32; }
const LightconeLoop<double>& loop_of(const GalaxyIndexIn<double>&) { return loops().select_f64; }

/// Values that were added one by one; memory is not initialised.
template <class T>
struct Growing {
    std::unique_ptr<T[]> data;

    void grow(std::int64_t used, std::int64_t capacity) {
        std::unique_ptr<T[]> larger(new T[std::size_t(capacity)]);
        std::copy_n(data.get(), used, larger.get());
        data = std::move(larger);
    }
};

/// The galaxies of one chunk of queries, before their place in the result is known.
struct ChunkResult {
    Growing<std::int64_t> indices;
    Growing<double> x, y, velocity, distance;
    Growing<bool> is_member;
    std::int64_t size = 0, capacity = 0;
    std::int64_t counts[kChunk];

    SelectionRoom room(std::int64_t needed) {
        if (size + needed > capacity) {
            capacity = std::max({kFirstRoom, 2 * capacity, size + needed});
            indices.grow(size, capacity);
            for (auto* values : {&x, &y, &velocity, &distance}) values->grow(size, capacity);
            is_member.grow(size, capacity);
        }
        return {size,
                indices.data.get(),
                x.data.get(),
                y.data.get(),
                velocity.data.get(),
                distance.data.get(),
                is_member.data.get()};
    }

    void copy_to(const LightconeOut& out, std::int64_t at) const {
        std::copy_n(indices.data.get(), size, out.indices.data + at);
        std::copy_n(x.data.get(), size, out.x.data + at);
        std::copy_n(y.data.get(), size, out.y.data + at);
        std::copy_n(velocity.data.get(), size, out.velocity.data + at);
        std::copy_n(distance.data.get(), size, out.distance.data + at);
        std::copy_n(is_member.data.get(), size, out.is_member.data + at);
    }
};

/// The cells that one query looks into.
class Visitor {
public:
    Visitor(const CellGrid& cells, double box, const std::int64_t* cell_start, const std::uint16_t* coarse,
            const math::Sightline& query, bool is_cone)
        : cells_(cells), box_(box), cell_start_(cell_start), coarse_(coarse), query_(query) {
        double largest_step = 0, diagonal = 0;
        for (int a = 0; a < 3; ++a) {
            const double size = cells.size[a], step = size / double(kCoarseSteps);
            for (int b = 0; b < 3; ++b) {
                const double axis = query.axes[b][a];
                aperture.step[b][a] = float(axis * step);
                side_[b][a] = axis * size;
                half_[b] += 0.5 * std::abs(axis) * size;
                middle_[b] += axis * (cells.origin[a] + 0.5 * size - query.centre[a]);
                to_corner_[b] += axis * (0.5 * step - 0.5 * size);
            }
            largest_step = std::max(largest_step, step);
            diagonal += size;
        }
        const double slope = is_cone ? query.aperture / query.distance : 0.0;
        const double radius = query.aperture + slope * std::max(query.far, 0.0);
        // A galaxy is within 0.87 steps of where its coarse position says; float32 sums of this size are off by less
        // than the second term.
        const double margin = largest_step + 2e-6 * (diagonal + radius + std::abs(query.near) + std::abs(query.far));
        reach_ = radius + margin;
        near_ = query.near - margin;
        far_ = query.far + margin;
        aperture.radius = float(query.aperture + (1.0 + slope) * margin);
        aperture.slope = float(slope);
        aperture.near = float(near_);
        aperture.far = float(far_);
    }

    void find(std::vector<CellVisit>& visits) const {
        walk_cells(cells_, {query_.centre, query_.axes, reach_, reach_, near_, far_},
                   [&](std::int64_t i, std::int64_t j, CellRange along) {
                       double middle[3];
                       for (int b = 0; b < 3; ++b)
                           middle[b] = middle_[b] + side_[b][0] * double(i) + side_[b][1] * double(j);
                       for (std::int64_t k = along.first; k <= along.last; ++k) add({i, j, k}, middle, visits);
                   });
    }

    CoarseAperture aperture;

private:
    struct Cell {
        std::int64_t at[3];  ///< may lie beyond the box
    };

    /// Add the cell unless it lies beside the aperture. `line`: the middle of cell (i, j, 0).
    void add(const Cell& cell, const double (&line)[3], std::vector<CellVisit>& visits) const {
        double middle[3];
        for (int b = 0; b < 3; ++b) middle[b] = line[b] + side_[b][2] * double(cell.at[2]);
        if (std::abs(middle[0]) > reach_ + half_[0] || std::abs(middle[1]) > reach_ + half_[1] ||
            middle[2] + half_[2] < near_ || middle[2] - half_[2] > far_)
            return;
        CellVisit visit{};
        std::int64_t flat = 0;
        for (int a = 0; a < 3; ++a) {
            const WrappedCell w = wrap_cell(cell.at[a], cells_.n[a]);
            flat = flat * cells_.n[a] + w.cell;
            visit.centre[a] = query_.centre[a] - double(w.boxes) * box_;
            visit.corner[a] = float(middle[a] + to_corner_[a]);
        }
        visit.begin = cell_start_[flat];
        visit.end = cell_start_[flat + 1];
        if (visit.begin == visit.end) return;
        visits.push_back(visit);
        for (std::int64_t at = 3 * visit.begin; at < std::min(3 * visit.end, 3 * visit.begin + kPrefetched); at += 32)
            __builtin_prefetch(coarse_ + at);  // looked at once all cells are known
    }

    const CellGrid& cells_;
    const double box_;
    const std::int64_t* const cell_start_;
    const std::uint16_t* const coarse_;
    const math::Sightline& query_;
    double side_[3][3] = {}, half_[3] = {}, middle_[3] = {}, to_corner_[3] = {};  // along x, y and the line of sight
    double reach_ = 0, near_ = 0, far_ = 0;
};

/// Rooms that no thread uses now: as many as threads work at once, whatever the number of chunks.
class Rooms {
public:
    std::shared_ptr<ChunkResult> take() {
        const std::lock_guard<std::mutex> guard(lock_);
        if (free_.empty()) return std::make_shared<ChunkResult>();
        auto room = std::move(free_.back());
        free_.pop_back();
        return room;
    }
    void give(const std::shared_ptr<ChunkResult>& room) {
        const std::lock_guard<std::mutex> guard(lock_);
        free_.push_back(room);
    }

private:
    std::mutex lock_;
    std::vector<std::shared_ptr<ChunkResult>> free_;
};

/// Gives chunks their places in the result in the order of the queries. Chunks are begun in this order, so the one that
/// others wait for is always at work.
class Turn {
public:
    Turn(std::int64_t at, std::int64_t first) : at_(at), done_(first) {}

    bool is_over() {
        const std::lock_guard<std::mutex> guard(lock_);
        return is_over_;
    }

    /// Wait until all queries before `from` have their places; return that of queries [from, to), or -1 if they do not
    /// fit or something before them did not.
    std::int64_t reserve(std::int64_t from, std::int64_t to, std::int64_t size, std::int64_t room) {
        std::unique_lock<std::mutex> guard(lock_);
        next_.wait(guard, [&] { return is_over_ || done_ == from; });
        const std::int64_t at = at_;
        if (size > room - at) is_over_ = true;
        if (!is_over_) {
            at_ += size;
            done_ = to;
        }
        next_.notify_all();
        return is_over_ ? -1 : at;
    }

    void end() {
        const std::lock_guard<std::mutex> guard(lock_);
        is_over_ = true;
        next_.notify_all();
    }

    std::int64_t done() const { return done_; }

private:
    std::mutex lock_;
    std::condition_variable next_;
    std::int64_t at_, done_;
    bool is_over_ = false;
};

template <class Real>
class Selection {
public:
    Selection(const GalaxyIndexIn<Real>& index, const LightconeQueries& queries, const LightconeOut& out)
        : index_(index), queries_(queries), out_(out) {}

    /// Queries [first, last) by the calling thread, straight into the result. Returns the first that does not fit.
    std::int64_t run_alone(std::int64_t first, std::int64_t last) {
        for (std::int64_t q = first; q < last; ++q) {
            const Visitor visitor = find(q, visits_);
            const std::int64_t at = out_.offsets[q], candidates = count(visits_, 0, visits_.size());
            if (candidates <= out_.indices.size - at) {
                SelectionRoom room{at,
                                   out_.indices.data,
                                   out_.x.data,
                                   out_.y.data,
                                   out_.velocity.data,
                                   out_.distance.data,
                                   out_.is_member.data};
                look(q, visitor, 0, visits_.size(), visits_, room);
                out_.offsets[q + 1] = room.size;
            } else {
                ChunkResult& result = room_;
                result.size = 0;
                add(q, visitor, visits_, result);
                if (result.size > out_.indices.size - at) return q;
                result.copy_to(out_, at);
                out_.offsets[q + 1] = at + result.size;
            }
        }
        return last;
    }

    /// All queries from `first` on by several threads, chunk by chunk. Each thread fills room of its own, waits until
    /// the place of its chunk is known, and copies. Returns the first query that does not fit.
    std::int64_t run_together(std::int64_t first, const Parallel& run) {
        const std::int64_t n = queries_.sightlines.size;
        Turn turn{out_.offsets[first], first};
        parallel_chunks((n - first + kChunk - 1) / kChunk, run, [&](std::int64_t c) {
            const std::int64_t from = first + c * kChunk, to = std::min(from + kChunk, n);
            try {
                if (turn.is_over()) return;
                const auto result = rooms_.take();
                select_chunk(from, to, *result);
                std::int64_t at = turn.reserve(from, to, result->size, out_.indices.size);
                if (at < 0) return;
                result->copy_to(out_, at);
                for (std::int64_t q = from; q < to; ++q) out_.offsets[q + 1] = at += result->counts[q - from];
                rooms_.give(result);
            } catch (...) {
                turn.end();  // others must not wait for this chunk
                throw;
            }
        });
        return turn.done();
    }

private:
    using Visits = std::vector<CellVisit>;

    Visitor find(std::int64_t q, Visits& visits) const {
        const Visitor visitor(index_.cells, index_.box, index_.cell_start.data, index_.coarse.data,
                              queries_.sightlines[q], queries_.is_cone);
        visits.clear();
        visitor.find(visits);
        return visitor;
    }

    static std::int64_t count(const Visits& visits, std::size_t from, std::size_t to) {
        std::int64_t candidates = 0;
        for (std::size_t v = from; v < to; ++v) candidates += visits[v].end - visits[v].begin;
        return candidates;
    }

    void look(std::int64_t q, const Visitor& visitor, std::size_t from, std::size_t to, const Visits& visits,
              SelectionRoom& room) const {
        const std::int64_t target = queries_.targets.size ? queries_.targets[q] : kNoTarget;
        loop_of(index_).select(index_, queries_, queries_.sightlines[q], visitor.aperture,
                               {visits.data() + from, std::int64_t(to - from)}, target, room);
    }

    /// Add what the query sees, some cells at a time: there is room for all candidates only of these.
    void add(std::int64_t q, const Visitor& visitor, const Visits& visits, ChunkResult& result) const {
        for (std::size_t v = 0; v < visits.size();) {
            std::size_t end = v + 1;
            while (end < visits.size() && count(visits, v, end) < kMaxCandidates) end += 1 + (end - v) / 4;
            end = std::min(end, visits.size());
            SelectionRoom room = result.room(count(visits, v, end));
            look(q, visitor, v, end, visits, room);
            result.size = room.size;
            v = end;
        }
    }

    void select_chunk(std::int64_t first, std::int64_t last, ChunkResult& result) const {
        Visits visits;
        visits.reserve(64);
        result.size = 0;
        for (std::int64_t q = first; q < last; ++q) {
            const std::int64_t before = result.size;
            const Visitor visitor = find(q, visits);
            add(q, visitor, visits, result);
            result.counts[q - first] = result.size - before;
        }
    }

    const GalaxyIndexIn<Real>& index_;
    const LightconeQueries& queries_;
    const LightconeOut& out_;
    ChunkResult room_;
    Rooms rooms_;
    Visits visits_;
};

template <class Real>
void check(const GalaxyIndexIn<Real>& index, const LightconeQueries& queries, std::int64_t first,
           const LightconeOut& out) {
    const auto n = index.records.rows, m = queries.sightlines.size;
    if (index.records.cols != kRecord || index.rows.size != n || index.coarse.size != 3 * n + kCoarsePadding ||
        (index.hosts.size && index.hosts.size != n) || index.cell_start.size != index.cells.count() + 1 ||
        index.cell_start[0] != 0 || index.cell_start[index.cells.count()] != n)
        throw ArrayError("lightcone: the arrays of the index do not fit together");
    if (first < 0 || first > m || out.offsets.size != m + 1 || (queries.targets.size && queries.targets.size != m))
        throw ArrayError("lightcone: the arrays of the queries do not fit together");
    if (queries.is_relativistic && queries.table.n < 1)
        throw ArrayError("lightcone: relativistic velocities need a table of recession velocities");
    const std::int64_t room = out.indices.size;
    if (out.x.size != room || out.y.size != room || out.velocity.size != room || out.distance.size != room ||
        out.is_member.size != room || out.offsets[first] < 0 || out.offsets[first] > room)
        throw ArrayError("lightcone: the arrays of the result do not fit together");
    for (std::int64_t q = first; q < m; ++q) {
        const math::Sightline& s = queries.sightlines[q];
        bool ok = s.aperture > 0 && std::isfinite(s.aperture + s.near + s.far + s.velocity + s.hubble) &&
                  s.distance >= 0 && std::isfinite(s.distance) && (s.distance > 0 || !queries.is_cone);
        for (int a = 0; a < 3; ++a) ok = ok && std::isfinite(s.centre[a] + s.axes[0][a] + s.axes[1][a] + s.axes[2][a]);
        if (!ok) throw DomainError("lightcone: query " + std::to_string(q) + " is not valid");
    }
}

}  // namespace

template <class Real>
std::int64_t select_lightcone(const GalaxyIndexIn<Real>& index, const LightconeQueries& queries, std::int64_t first,
                              const Parallel& run, const LightconeOut& out) {
    check(index, queries, first, out);
    Selection<Real> selection(index, queries, out);
    const std::int64_t n = queries.sightlines.size;
    if (run.n_threads > 1) return selection.run_together(first, run);
    std::int64_t done = first;
    const std::int64_t n_chunks = (n - first + kChunk - 1) / kChunk;
    parallel_chunks(n_chunks, run, [&](std::int64_t c) {  // one thread: one after another
        const std::int64_t from = first + c * kChunk;
        if (done == from) done = selection.run_alone(from, std::min(from + kChunk, n));
    });
    return done;
}

template std::int64_t select_lightcone<float>(const GalaxyIndexIn<float>&, const LightconeQueries&, std::int64_t,
                                              const Parallel&, const LightconeOut&);
template std::int64_t select_lightcone<double>(const GalaxyIndexIn<double>&, const LightconeQueries&, std::int64_t,
                                               const Parallel&, const LightconeOut&);

}  // namespace clustermass::ops
