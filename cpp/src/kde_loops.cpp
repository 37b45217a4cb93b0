#include <cstring>

#include "clustermass/math/kde.hpp"
#include "clustermass/ops/kde.hpp"
#include "kde_terms.hpp"
#include "kde_vectors.hpp"

/// All points of a cluster share one precision matrix P, so the cross terms of the exponent are taken apart: seen from
/// the middle of a tile of the grid, exp2(-d P d / 2) = A(point, row) B(point, column) exp2(-P_rc row column). Sums
/// over points become a matrix product. Tiles are so small that what is taken apart stays below a limit; at the end
/// stands a tile of one row, for which nothing is taken apart. docs/phase-space.md derives it.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

constexpr std::int64_t kTileCells[3] = {256, 1280, 256};       // most cells of a tile along slots 0 and 2, and of a row
constexpr std::int64_t kProductBytes = std::int64_t(1) << 19;  // half of a second-level cache

/// table(point, cell) of one slot.
template <class Real>
void fill_table(const Terms& terms, int slot, std::int64_t n, double curvature, const Tile& tile, Real* table,
                std::int64_t stride) {
    for (std::int64_t cell = 0; cell < tile.n[slot]; cell += kLanes<Real>) {
        Power<Real> power;
        power.start(double(cell) - tile.half[slot], curvature);
        for (std::int64_t i = 0; i < n; ++i)
            store(table + i * stride + cell, power(terms.constant[slot][i], terms.slope[slot][i]));
    }
}

/// table(row, column) = exp2(-cross x row x column), both from the middle of the tile. A column is a geometric series,
/// multiplied up in float64 (256 rows lose 3e-14) and rounded to the type of the table.
template <class Real>
void fill_cross(double cross, const Tile& tile, int row_slot, int column_slot, Real* table, std::int64_t stride) {
    constexpr std::int64_t L = kLanes<double>, kParts = kLanes<Real> / L;
    for (std::int64_t cell = 0; cell < tile.n[column_slot]; cell += kLanes<Real>) {
        Vector<double> value[kParts], ratio[kParts];
        for (std::int64_t part = 0; part < kParts; ++part) {
            Power<double> power;
            power.start(double(cell + part * L) - tile.half[column_slot], 0.0);
            value[part] = power(0.0, cross * tile.half[row_slot]);
            ratio[part] = power(0.0, -cross);
        }
        for (std::int64_t r = 0; r < tile.n[row_slot]; ++r) {
            store(table + r * stride + cell, joined(value, Real{}));
            for (std::int64_t part = 0; part < kParts; ++part) value[part] *= ratio[part];
        }
    }
}

/// Sums of a block of points are themselves added in the type of the grid, up to this many of them.
template <class Real>
constexpr std::int64_t kBlocksInOne = sizeof(Real) == 4 ? 16 : std::int64_t(1) << 62;

/// Exponents of this size are known to 2e-13 and 1e-10.
template <class Real>
constexpr double kLargestExponent = sizeof(Real) == 8 ? 1e3 : 5e5;

template <class Real>
struct Plan {
    std::int64_t cells[3];  ///< most cells of a tile along each slot
    std::int64_t stride0, stride1, stride2, columns, points;

    explicit Plan(const KdeGrid& grid) {
        cells[0] = even_share(grid.n[0], kTileCells[0]);
        cells[2] = even_share(grid.n[2], kTileCells[2]);
        cells[1] = even_share(grid.n[1], most(1, kTileCells[1] / cells[2]));
        set_strides();
    }
    static std::int64_t even_share(std::int64_t n, std::int64_t largest) { return pieces(n, pieces(n, largest)); }

    void set_strides() {
        stride0 = padded<Real>(cells[0]);
        stride1 = padded<Real>(cells[1]);
        stride2 = padded<Real>(cells[2]);
        columns = padded<Real>((cells[1] - 1) * cells[2] + stride2);
        points = most(16, least(kPoints, kProductBytes / (columns * std::int64_t(sizeof(Real))) / 16 * 16));
    }

    /// Halve tiles until no exponent is so large that it loses digits, and until the cross terms stay below `limit`; a
    /// tile of one row and column has none.
    void divide(const KdeGrid& grid, const double* p, double limit) {
        const double curvature[3] = {p[0], p[3], p[5]};
        for (int s = 0; s < 3; ++s)
            while (cells[s] > 1 && 0.125 * curvature[s] * double(cells[s] * cells[s]) > kLargestExponent<Real>)
                cells[s] = even_share(grid.n[s], (cells[s] + 1) / 2);
        for (;;) {
            double half[3];
            for (int s = 0; s < 3; ++s) half[s] = 0.5 * double(cells[s] - 1);
            const auto size = [](double v) { return v < 0 ? -v : v; };
            const double c01 = size(p[1]) * half[0] * half[1], c02 = size(p[2]) * half[0] * half[2],
                         c12 = size(p[4]) * half[1] * half[2];
            if (c01 + c02 + c12 <= limit || (cells[0] == 1 && cells[1] == 1)) break;
            const int slot = cells[1] == 1 || (cells[0] > 1 && c02 >= c12) ? 0 : 1;
            cells[slot] = even_share(grid.n[slot], (cells[slot] + 1) / 2);
        }
        set_strides();
    }
    std::int64_t table_values() const { return points * (stride0 + stride1 + stride2 + columns); }
    std::int64_t cross_values() const { return cells[0] * (stride1 + stride2) + cells[1] * stride2; }
    std::int64_t sum_values() const { return cells[0] * columns; }
    std::int64_t bytes() const {
        return (table_values() + cross_values() + sum_values() + 4 * 64) * std::int64_t(sizeof(Real)) +
               sum_values() * std::int64_t(sizeof(double));
    }
};

/// One cluster on its grid.
template <class Real>
class Evaluation {
public:
    Evaluation(const KdePoints<Real>& cluster, const KdeGrid& grid, const double* precision, double limit,
               void* scratch, Real* out)
        : cluster_(cluster), grid_(grid), p_(precision), plan_(grid), limit_(limit), out_(out) {
        plan_.divide(grid, precision, limit);
        constexpr std::int64_t kGap = 64;  // keeps every table on a boundary of 64 bytes: strides are whole vectors
        totals_ = static_cast<double*>(scratch);
        Real* next = reinterpret_cast<Real*>(totals_ + (plan_.sum_values() + 7) / 8 * 8);
        const auto take = [&](std::int64_t n) {
            Real* const at = next;
            next += (n + kGap - 1) / kGap * kGap;
            return at;
        };
        for (int s = 0; s < 3; ++s) table_[s] = take(plan_.points * stride(s));
        product_ = take(plan_.points * plan_.columns);
        cross01_ = take(plan_.cells[0] * plan_.stride1);
        cross02_ = take(plan_.cells[0] * plan_.stride2);
        cross12_ = take(plan_.cells[1] * plan_.stride2);
        sums_ = take(plan_.sum_values());
    }

    void run() {
        Tile tile{};
        for (tile.first[0] = 0; tile.first[0] < grid_.n[0]; tile.first[0] += tile.n[0]) {
            place(tile, 0);
            for (tile.first[1] = 0; tile.first[1] < grid_.n[1]; tile.first[1] += tile.n[1]) {
                place(tile, 1);
                for (tile.first[2] = 0; tile.first[2] < grid_.n[2]; tile.first[2] += tile.n[2]) {
                    place(tile, 2);
                    run_tile(tile);
                }
            }
        }
    }

private:
    std::int64_t stride(int slot) const {
        return slot == 0 ? plan_.stride0 : slot == 1 ? plan_.stride1 : plan_.stride2;
    }

    void place(Tile& tile, int slot) const {
        const std::int64_t n = least(plan_.cells[slot], grid_.n[slot] - tile.first[slot]);
        tile.n[slot] = n;
        tile.half[slot] = 0.5 * double(n - 1);
        tile.middle[slot] = double(tile.first[slot]) + tile.half[slot] - 0.5 * double(grid_.n[slot] - 1);
    }

    void run_tile(const Tile& tile) {
        if (grid_.dims == 2) fill_cross(p_[2], tile, 0, 2, cross02_, plan_.stride2);
        if (grid_.dims == 3) {
            fill_cross(p_[1], tile, 0, 1, cross01_, plan_.stride1);
            fill_cross(p_[2], tile, 0, 2, cross02_, plan_.stride2);
            fill_cross(p_[4], tile, 1, 2, cross12_, plan_.stride2);
        }
        const std::int64_t n_blocks = pieces(cluster_.n, plan_.points), in_one = n_blocks <= kBlocksInOne<Real>;
        for (std::int64_t block = 0, since = 0; block < n_blocks; ++block) {
            add_points(tile, block * plan_.points, since > 0);
            if (in_one || (++since < kBlocksInOne<Real> && block + 1 < n_blocks)) {
                since = most(since, 1);
                continue;
            }
            add_to_totals(tile, block < kBlocksInOne<Real>);
            since = 0;
        }
        if (in_one)
            finish(tile, sums_);
        else
            finish(tile, totals_);
    }

    void add_points(const Tile& tile, std::int64_t first, bool adds) {
        load_block(cluster_, first, least(plan_.points, cluster_.n - first), grid_, block_);
        const std::int64_t n = block_.n;
        make_terms(block_, tile, p_, Power<Real>::kLowest - limit_ - 1, Power<Real>::kShift, terms_);
        fill_table(terms_, 0, n, p_[0], tile, table_[0], plan_.stride0);
        if (cluster_.weights) weigh(tile);
        fill_table(terms_, 2, n, p_[5], tile, table_[2], plan_.stride2);
        const Real* columns = table_[2];
        std::int64_t column_stride = plan_.stride2;
        if (grid_.dims == 3) {
            fill_table(terms_, 1, n, p_[3], tile, table_[1], plan_.stride1);
            multiply_out(tile);
            columns = product_;
            column_stride = plan_.columns;
        }
        constexpr int L = kLanes<Real>;
        const std::int64_t n_columns = padded<Real>(tile.n[1] * tile.n[2]);
        const auto multiply = [&](auto width, std::int64_t at) {
            multiply_columns<Real, decltype(width)::value>(table_[0], plan_.stride0, columns + at, column_stride, n,
                                                           sums_ + at, plan_.columns, tile.n[0], adds);
        };
        std::int64_t at = 0;
        for (; at + 3 * L <= n_columns; at += 3 * L) multiply(Width<3>{}, at);
        if (at + 2 * L == n_columns) multiply(Width<2>{}, at);
        if (at + L == n_columns) multiply(Width<1>{}, at);
    }

    template <int n>
    struct Width {
        static constexpr int value = n;
    };

    void weigh(const Tile& tile) {
        for (std::int64_t i = 0; i < block_.n; ++i)
            for (std::int64_t cell = 0; cell < padded<Real>(tile.n[0]); cell += kLanes<Real>) {
                Real* const at = table_[0] + i * plan_.stride0 + cell;
                store(at, load(at) * Real(block_.weight[i]));
            }
    }

    /// product(point, (j, k)) = table1(point, j) table2(point, k), rows written in order: each covers the excess of the
    /// one before.
    void multiply_out(const Tile& tile) {
        for (std::int64_t i = 0; i < block_.n; ++i) {
            const Real* const along1 = table_[1] + i * plan_.stride1;
            const Real* const along2 = table_[2] + i * plan_.stride2;
            Real* to = product_ + i * plan_.columns;
            store(to + padded<Real>(tile.n[1] * tile.n[2]) - kLanes<Real>,
                  Vector<Real>{});  // what the rows may leave out
            for (std::int64_t j = 0; j < tile.n[1]; ++j, to += tile.n[2])
                for (std::int64_t k = 0; k < tile.n[2]; k += kLanes<Real>) store(to + k, along1[j] * load(along2 + k));
        }
    }

    void add_to_totals(const Tile& tile, bool is_first) {
        for (std::int64_t r = 0; r < tile.n[0]; ++r) {
            double* const to = totals_ + r * plan_.columns;
            const Real* const from = sums_ + r * plan_.columns;
            const std::int64_t n = tile.n[1] * tile.n[2];
            if (is_first)
                for (std::int64_t c = 0; c < n; ++c) to[c] = double(from[c]);
            else
                for (std::int64_t c = 0; c < n; ++c) to[c] += double(from[c]);
        }
    }

    /// to[k] = from[k] factor(k); the last vector overlaps the one before, or is short where the row is.
    template <class Sum, class Factor>
    static CM_HD void write_row(const Sum* from, std::int64_t n, Real* to, const Factor& factor) {
        constexpr std::int64_t L = kLanes<Real>;
        if (n < L) {
            Real row[L];
            store(row, rounded(from, Real{}) * factor(0));
            std::memcpy(to, row, std::size_t(n) * sizeof(Real));
            return;
        }
        for (std::int64_t k = 0; k + L <= n; k += L) store(to + k, rounded(from + k, Real{}) * factor(k));
        if (n % L != 0) store(to + n - L, rounded(from + n - L, Real{}) * factor(n - L));
    }

    /// Put the cross terms back and write the tile into the grid.
    template <class Sum>
    void finish(const Tile& tile, const Sum* sums) {
        for (std::int64_t r = 0; r < tile.n[0]; ++r)
            for (std::int64_t j = 0; j < tile.n[1]; ++j) {
                const Sum* const from = sums + r * plan_.columns + j * tile.n[2];
                const std::int64_t row = (tile.first[0] + r) * grid_.n[1] + tile.first[1] + j;
                Real* const to = out_ + row * grid_.n[2] + tile.first[2];
                const Real* const c02 = cross02_ + r * plan_.stride2;
                const Real* const c12 = cross12_ + j * plan_.stride2;
                const std::int64_t n = tile.n[2];
                if (grid_.dims == 1) write_row(from, n, to, [](std::int64_t) { return Vector<Real>{} + Real(1); });
                if (grid_.dims == 2) write_row(from, n, to, [&](std::int64_t k) { return load(c02 + k); });
                if (grid_.dims == 3) {
                    const Real c01 = cross01_[r * plan_.stride1 + j];
                    write_row(from, n, to, [&](std::int64_t k) { return c01 * load(c02 + k) * load(c12 + k); });
                }
            }
    }

    const KdePoints<Real>& cluster_;
    const KdeGrid& grid_;
    const double* p_;
    Plan<Real> plan_;
    double limit_;
    Real* out_;
    double* totals_;
    Real *table_[3], *product_, *cross01_, *cross02_, *cross12_, *sums_;
    Block block_;
    Terms terms_;
};

template <class Real>
std::int64_t scratch_bytes(const KdeGrid& grid) {
    return Plan<Real>(grid).bytes();
}

template <class Real>
KdeSummary evaluate(const KdePoints<Real>& cluster, const KdeGrid& grid, const double* precision, double limit,
                    void* scratch, Real* out) {
    Evaluation<Real>(cluster, grid, precision, limit, scratch, out).run();
    constexpr std::int64_t L = kLanes<Real>;
    const std::int64_t n = grid.size();
    Vector<Real> peaks{};
    KdeSummary result{0, 0};
    std::int64_t i = 0;
    for (std::int64_t next = 0; i + L <= n; i = next) {  // stretches of float32 sums, added up in float64
        Vector<Real> sums{};
        for (next = i; next + L <= n && next < i + 8 * L; next += L) {
            const Vector<Real> v = load(out + next);
            peaks = v > peaks ? v : peaks;
            sums += v;
        }
        for (std::int64_t lane = 0; lane < L; ++lane) result.sum += double(sums[lane]);
    }
    for (std::int64_t lane = 0; lane < L; ++lane) result.peak = larger(result.peak, double(peaks[lane]));
    for (; i < n; ++i) {
        result.sum += double(out[i]);
        result.peak = larger(result.peak, double(out[i]));
    }
    return result;
}

template <class Real>
void scale(Real* values, std::int64_t n, double factor) {
    const Real f = Real(factor);
    for (std::int64_t i = 0; i < n; ++i) values[i] *= f;
}

}  // namespace

extern const KdeLoops<float> kde_loops_f32;
extern const KdeLoops<double> kde_loops_f64;
const KdeLoops<float> kde_loops_f32{moments<float>, scratch_bytes<float>, evaluate<float>, scale<float>};
const KdeLoops<double> kde_loops_f64{moments<double>, scratch_bytes<double>, evaluate<double>, scale<double>};

}  // namespace CM_ISA
}  // namespace clustermass::ops
