#include <algorithm>
#include <cmath>
#include <vector>

#include "clustermass/core/error.hpp"
#include "clustermass/math/cells.hpp"
#include "clustermass/ops/views.hpp"

namespace clustermass::ops {
namespace {

constexpr std::int64_t kMaxChunks = 8;           // each has a count per cell
constexpr std::int64_t kMaxCounts = 32'000'000;  // counts in all chunks together (256 MB)
constexpr std::int64_t kMinChunkSize = 32768;

template <class Real>
class Sorter {
public:
    Sorter(const Particles<Real>& particles, const ParticleIndex<Real, std::int64_t>& out)
        : in_(particles), out_(out), n_(particles.positions.rows), n_cells_(out.cells.count()) {
        n_chunks_ = std::clamp<std::int64_t>(std::min(n_ / kMinChunkSize, kMaxCounts / n_cells_), 1, kMaxChunks);
        start_.assign(std::size_t(n_chunks_ * n_cells_), 0);
        valid_.assign(std::size_t(n_chunks_), 1);
    }

    bool sort(const Parallel& run) {
        parallel_chunks(n_chunks_, run, [&](std::int64_t chunk) { count(chunk); });
        if (!std::all_of(valid_.begin(), valid_.end(), [](char ok) { return ok; })) return false;
        add_up();
        parallel_chunks(n_chunks_, run, [&](std::int64_t chunk) { place(chunk); });
        return true;
    }

private:
    std::int64_t begin(std::int64_t chunk) const { return n_ * chunk / n_chunks_; }
    std::int64_t* starts(std::int64_t chunk) { return start_.data() + chunk * n_cells_; }

    struct Stored {
        Real x[3];
        std::int64_t cell;
    };

    Stored read(std::int64_t i) const {
        Stored s{};
        for (int a = 0; a < 3; ++a) {
            const CellGrid& g = out_.cells;
            s.x[a] = math::stored_coordinate(in_.positions(i, a), g.size[a] * double(g.n[a]), g.is_periodic);
            s.cell = s.cell * g.n[a] + math::cell_of(double(s.x[a]), g.origin[a], g.size[a], g.n[a]);
        }
        return s;
    }

    bool is_valid(std::int64_t i) const {
        bool ok = true;
        for (int a = 0; a < 3; ++a) ok &= std::isfinite(in_.positions(i, a));
        for (std::int64_t c = 0; c < in_.weights.cols; ++c) ok &= std::isfinite(in_.weights(i, c));
        if (in_.smoothing_length.size) ok &= std::isfinite(in_.smoothing_length[i]) && in_.smoothing_length[i] >= 0;
        return ok;
    }

    void count(std::int64_t chunk) {
        std::int64_t* const counts = starts(chunk);
        for (std::int64_t i = begin(chunk); i < begin(chunk + 1); ++i) {
            if (!is_valid(i)) {
                valid_[std::size_t(chunk)] = 0;
                return;
            }
            ++counts[read(i).cell];
        }
    }

    /// Counts become places: cell by cell, and within a cell chunk by chunk, which keeps the given order.
    void add_up() {
        std::int64_t total = 0;
        for (std::int64_t cell = 0; cell < n_cells_; ++cell) {
            out_.cell_start[cell] = total;
            for (std::int64_t chunk = 0; chunk < n_chunks_; ++chunk) {
                std::int64_t& here = starts(chunk)[cell];
                const std::int64_t count = here;
                here = total;
                total += count;
            }
        }
        out_.cell_start[n_cells_] = total;
    }

    void place(std::int64_t chunk) {
        std::int64_t* const next = starts(chunk);
        const std::int64_t channels = in_.weights.cols;
        for (std::int64_t i = begin(chunk); i < begin(chunk + 1); ++i) {
            const Stored s = read(i);
            const std::int64_t to = next[s.cell]++;
            out_.x[to] = s.x[0];
            out_.y[to] = s.x[1];
            out_.z[to] = s.x[2];
            std::copy_n(in_.weights.row(i), channels, out_.weights.row(to));
            if (in_.smoothing_length.size) out_.smoothing_length[to] = in_.smoothing_length[i];
        }
    }

    const Particles<Real>& in_;
    const ParticleIndex<Real, std::int64_t>& out_;
    std::int64_t n_, n_cells_, n_chunks_;
    std::vector<std::int64_t> start_;
    std::vector<char> valid_;
};

}  // namespace

template <class Real>
bool build_index(const Particles<Real>& particles, const Parallel& run, const ParticleIndex<Real, std::int64_t>& out) {
    const CellGrid& g = out.cells;
    for (int a = 0; a < 3; ++a)
        if (g.n[a] < 1 || g.n[a] > 4096 || !(g.size[a] > 0) || !std::isfinite(g.size[a]) || !std::isfinite(g.origin[a]))
            throw DomainError("index: needs 1 to 4096 cells of positive size along each axis");
    const auto n = particles.positions.rows, h = particles.smoothing_length.size;
    if (particles.positions.cols != 3 || particles.weights.rows != n || (h && h != n) || out.x.size != n ||
        out.y.size != n || out.z.size != n || out.weights.rows != n || out.weights.cols != particles.weights.cols ||
        out.smoothing_length.size != h || out.cell_start.size != g.count() + 1)
        throw ArrayError("index: the arrays do not fit together");
    return Sorter<Real>(particles, out).sort(run);
}

template bool build_index<float>(const Particles<float>&, const Parallel&, const ParticleIndex<float, std::int64_t>&);
template bool build_index<double>(const Particles<double>&, const Parallel&,
                                  const ParticleIndex<double, std::int64_t>&);

}  // namespace clustermass::ops
