#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "clustermass/core/error.hpp"
#include "clustermass/math/dispersion.hpp"
#include "clustermass/ops/dispersion.hpp"
#include "ragged.hpp"

namespace clustermass::ops {
namespace {

struct Galaxy {
    double key;  ///< radius, then velocity
    std::int64_t index;
    bool operator<(const Galaxy& other) const { return key != other.key ? key < other.key : index < other.index; }
};

/// The part of a bin, sorted by velocity, that stays: from `first` to `last`.
struct Part {
    std::int64_t first, last;
    std::int64_t size() const { return last - first; }
};

/// What no gap cuts off from the velocity of the cluster, 0, on either side.
Part within_gaps(const Galaxy* sorted, Part part, double gap) {
    std::int64_t middle = part.first;  // the first velocity above zero
    while (middle < part.last && sorted[middle].key <= 0) ++middle;
    Part inner{middle, middle};
    if (middle > part.first) --inner.first;
    while (inner.first > part.first && sorted[inner.first].key - sorted[inner.first - 1].key < gap) --inner.first;
    if (middle < part.last) ++inner.last;
    while (inner.last > middle && inner.last < part.last && sorted[inner.last].key - sorted[inner.last - 1].key < gap)
        ++inner.last;
    return inner;
}

Part members(const Galaxy* sorted, std::int64_t n, const GapperRule& rule) {
    Part part{0, n};
    if (n <= rule.min_members) return part;
    for (;;) {
        const std::int64_t quarter = math::quartile_rank(part.size());
        const double gap = math::sigma_of_quartiles(sorted[part.last - quarter].key - sorted[part.first + quarter].key);
        if (gap < rule.min_gap) return part;
        const Part inner = within_gaps(sorted, part, gap);
        if (inner.size() == part.size() || inner.size() < rule.min_members) return inner;
        part = inner;
    }
}

}  // namespace

template <class Real>
bool shifting_gapper(Span<const Real> radius, Span<const Real> velocity, Span<const std::int64_t> offsets,
                     const GapperRule& rule, const Parallel& run, Span<std::uint8_t> keep) {
    check_offsets(offsets, velocity.size);
    if (radius.size != velocity.size || keep.size != velocity.size)
        throw ArrayError("`radius`, `velocity` and `keep` must have the same length");
    if (rule.per_bin < 1 || rule.min_members < 2 || !(rule.min_gap >= 0))
        throw DomainError("`per_bin` must be at least 1, `min_members` at least 2, `min_gap` not negative");
    std::atomic<bool> good{true};
    each_cluster(offsets, run, [&](std::int64_t first, std::int64_t last, std::int64_t largest) {
        std::vector<Galaxy> galaxies(static_cast<std::size_t>(largest));
        for (std::int64_t cluster = first; cluster < last && good; ++cluster) {
            const std::int64_t begin = offsets[cluster], n = offsets[cluster + 1] - begin;
            for (std::int64_t i = 0; i < n; ++i) {
                const double r = double(radius[begin + i]), v = double(velocity[begin + i]);
                if (!(std::fabs(r) <= kFastest && std::fabs(v) <= kFastest)) good = false;
                galaxies[std::size_t(i)] = {r, begin + i};
            }
            if (!good) return;  // NaN must not be sorted
            std::sort(galaxies.begin(), galaxies.begin() + n);
            for (std::int64_t start = 0; start < n; start += rule.per_bin) {
                Galaxy* const bin = galaxies.data() + start;
                const std::int64_t size = std::min(rule.per_bin, n - start);
                for (std::int64_t i = 0; i < size; ++i) bin[i].key = double(velocity[bin[i].index]);
                std::sort(bin, bin + size);
                const Part kept = members(bin, size, rule);
                for (std::int64_t i = 0; i < size; ++i) keep[bin[i].index] = i >= kept.first && i < kept.last;
            }
        }
    });
    return good;
}

#define CM_INSTANTIATE(Real)                                                                          \
    template bool shifting_gapper<Real>(Span<const Real>, Span<const Real>, Span<const std::int64_t>, \
                                        const GapperRule&, const Parallel&, Span<std::uint8_t>);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::ops
