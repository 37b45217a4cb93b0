#include "clustermass/ops/kde_gradient.hpp"
#include "kde_terms.hpp"
#include "kde_vectors.hpp"

/// As the sums of kde_loops.cpp, the other way round: G and the cross terms of the exponent become one matrix (rows:
/// slots 0 and 1, columns: slot 2), points are lanes. For each row two products over its columns, with G and with
/// G times the column, give all that is needed; docs/gradients.md derives it.
namespace clustermass::ops {
namespace CM_ISA {
namespace {

using Doubles = Vector<double>;
constexpr int kVectors = 4;                          ///< of points, held in registers
constexpr int kStretch = kVectors * kLanes<double>;  ///< points at a time
static_assert(kPoints % kStretch == 0, "a block is a whole number of stretches");

Tile whole(const KdeGrid& grid) {
    Tile tile{};
    for (int s = 0; s < 3; ++s) {
        tile.n[s] = grid.n[s];
        tile.half[s] = 0.5 * double(grid.n[s] - 1);
    }
    return tile;
}

/// Where things lie in the scratch memory: G with its cross terms, the same times the column, and a table
/// (cell, point) per slot.
struct Plan {
    std::int64_t plain, times, table[3], end;
    explicit CM_HD Plan(const KdeGrid& grid) : plain(0), times(0), table{}, end(0) {
        const std::int64_t matrix = padded<double>(grid.size());
        times = matrix;
        end = 2 * matrix;
        for (int s = 0; s < 3; ++s) {
            table[s] = end;
            end += grid.n[s] * kStretch;
        }
    }
};

std::int64_t scratch_bytes(const KdeGrid& grid) { return Plan(grid).end * std::int64_t(sizeof(double)); }

CM_HD Doubles counted(double first) {
    Doubles k{};
    for (int l = 0; l < kLanes<double>; ++l) k[l] = first + l;
    return k;
}

/// plain(row, column) = G exp2(cross terms), times(row, column) = the same times the column.
void fill_matrix(const double* g, const double* p, const Tile& tile, double* plain, double* times) {
    constexpr std::int64_t L = kLanes<double>;
    const std::int64_t n1 = tile.n[1], n2 = tile.n[2];
    for (std::int64_t i = 0; i < tile.n[0]; ++i)
        for (std::int64_t j = 0; j < n1; ++j, g += n2, plain += n2, times += n2) {
            const double x0 = double(i) - tile.half[0], x1 = double(j) - tile.half[1];
            const double constant = -p[1] * x0 * x1, slope = -(p[2] * x0 + p[4] * x1);
            for (std::int64_t k = 0; k < n2; k += L) {
                const Doubles column = counted(double(k) - tile.half[2]);
                const Doubles power = Power<double>::of(column * slope + constant);
                if (k + L <= n2) {
                    const Doubles value = load(g + k) * power;
                    store(plain + k, value);
                    store(times + k, value * column);
                } else {
                    for (std::int64_t l = 0; k + l < n2; ++l) {
                        plain[k + l] = g[k + l] * power[l];
                        times[k + l] = plain[k + l] * column[l];
                    }
                }
            }
        }
}

/// table(cell, point) = exp2 of the term of a slot.
void fill_table(const Terms& terms, std::int64_t start, int slot, double curvature, const Tile& tile, double* table) {
    for (std::int64_t cell = 0; cell < tile.n[slot]; ++cell) {
        const double k = double(cell) - tile.half[slot], square = -0.5 * curvature * k * k;
        for (int v = 0; v < kVectors; ++v, table += kLanes<double>) {
            const std::int64_t at = start + v * kLanes<double>;
            store(table,
                  Power<double>::of(load(terms.constant[slot] + at) + load(terms.slope[slot] + at) * k + square));
        }
    }
}

struct Sums {
    Doubles value[kVectors], first[3][kVectors];
};

/// Add `Rows` rows of the matrix, which share a cell of slot 0; `table1` is that of their first cell of slot 1.
template <int Rows>
CM_HD void add_rows(const double* plain, const double* times, std::int64_t n2, const double* table2,
                    const double* in_slot0, const double* table1, double x0, double x1, Sums& sums) {
    Doubles t0[Rows][kVectors] = {}, t1[Rows][kVectors] = {};
    for (std::int64_t k = 0; k < n2; ++k, table2 += kStretch) {
        Doubles column[kVectors];
        for (int v = 0; v < kVectors; ++v) column[v] = load(table2 + v * kLanes<double>);
#pragma GCC unroll 2
        for (int r = 0; r < Rows; ++r) {
            const double with0 = plain[r * n2 + k], with1 = times[r * n2 + k];
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) {
                t0[r][v] += column[v] * with0;
                t1[r][v] += column[v] * with1;
            }
        }
    }
    for (int r = 0; r < Rows; ++r)
        for (int v = 0; v < kVectors; ++v) {
            const Doubles weight =
                load(in_slot0 + v * kLanes<double>) * load(table1 + r * kStretch + v * kLanes<double>);
            const Doubles value = weight * t0[r][v];
            sums.value[v] += value;
            sums.first[0][v] += value * x0;
            sums.first[1][v] += value * (x1 + r);
            sums.first[2][v] += weight * t1[r][v];
        }
}

void add_stretch(const Plan& plan, const Tile& tile, const double* scratch, Sums& sums) {
    const std::int64_t n1 = tile.n[1], n2 = tile.n[2];
    constexpr int kRows = kVectorRegisters >= 32 ? 2 : 1;
    const double *plain = scratch + plan.plain, *times = scratch + plan.times;
    for (std::int64_t i = 0; i < tile.n[0]; ++i) {
        const double* const in_slot0 = scratch + plan.table[0] + i * kStretch;
        const double x0 = double(i) - tile.half[0];
        std::int64_t j = 0;
        for (; j + kRows <= n1; j += kRows, plain += kRows * n2, times += kRows * n2)
            add_rows<kRows>(plain, times, n2, scratch + plan.table[2], in_slot0, scratch + plan.table[1] + j * kStretch,
                            x0, double(j) - tile.half[1], sums);
        for (; j < n1; ++j, plain += n2, times += n2)
            add_rows<1>(plain, times, n2, scratch + plan.table[2], in_slot0, scratch + plan.table[1] + j * kStretch, x0,
                        double(j) - tile.half[1], sums);
    }
}

void keep(const Doubles* lanes, std::int64_t n, double* to) {
    double all[kStretch];
    for (int v = 0; v < kVectors; ++v) store(all + v * kLanes<double>, lanes[v]);
    for (std::int64_t i = 0; i < n; ++i) to[i] = all[i];
}

void gather(const KdePoints<double>& cluster, const KdeGrid& grid, const double* p, const double* gradient,
            void* scratch, const KdeGathered& out) {
    constexpr double kLimit = 290;
    auto* const numbers = static_cast<double*>(scratch);
    const Plan plan(grid);
    const Tile tile = whole(grid);
    const double curvature[3] = {p[0], p[3], p[5]};
    fill_matrix(gradient, p, tile, numbers + plan.plain, numbers + plan.times);
    Block block{};
    Terms terms{};
    for (std::int64_t first = 0; first < cluster.n; first += kPoints) {
        load_block(cluster, first, least(kPoints, cluster.n - first), grid, block);
        make_terms(block, tile, p, Power<double>::kLowest - kLimit - 1, Power<double>::kShift, terms);
        for (std::int64_t start = 0; start < block.n; start += kStretch) {
            for (int s = 0; s < 3; ++s) fill_table(terms, start, s, curvature[s], tile, numbers + plan.table[s]);
            Sums sums{};
            add_stretch(plan, tile, numbers, sums);
            const std::int64_t n = least(kStretch, block.n - start), at = first + start;
            keep(sums.value, n, out.value + at);
            for (int s = 0; s < 3; ++s)
                if (out.first[s]) keep(sums.first[s], n, out.first[s] + at);
        }
    }
}

/// Sums of the product of two grids, times one (sums[0]), each slot (1 to 3) and the upper triangle of their products.
void cell_moments(const double* a, const double* b, const KdeGrid& grid, double* sums) {
    constexpr std::int64_t L = kLanes<double>;
    const Tile tile = whole(grid);
    const std::int64_t n2 = tile.n[2];
    for (int s = 0; s < 10; ++s) sums[s] = 0;
    for (std::int64_t i = 0; i < tile.n[0]; ++i)
        for (std::int64_t j = 0; j < tile.n[1]; ++j, a += n2, b += n2) {
            const double x0 = double(i) - tile.half[0], x1 = double(j) - tile.half[1];
            Doubles v0{}, v1{}, v2{};
            std::int64_t k = 0;
            for (; k + L <= n2; k += L) {
                const Doubles column = counted(double(k) - tile.half[2]), value = load(a + k) * load(b + k);
                v0 += value;
                v1 += value * column;
                v2 += value * column * column;
            }
            double s0 = total(v0), s1 = total(v1), s2 = total(v2);
            for (; k < n2; ++k) {
                const double column = double(k) - tile.half[2], value = a[k] * b[k];
                s0 += value;
                s1 += value * column;
                s2 += value * column * column;
            }
            const double more[10] = {s0,           s0 * x0, s0 * x1,      s1,      s0 * x0 * x0,
                                     s0 * x0 * x1, s1 * x0, s0 * x1 * x1, s1 * x1, s2};
            for (int s = 0; s < 10; ++s) sums[s] += more[s];
        }
}

}  // namespace

extern const KdeGradientLoops kde_gradient_loops;
const KdeGradientLoops kde_gradient_loops{scratch_bytes, gather, cell_moments};

}  // namespace CM_ISA
}  // namespace clustermass::ops
