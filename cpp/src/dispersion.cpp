#include "clustermass/ops/dispersion.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include "clustermass/core/error.hpp"
#include "clustermass/core/isa.hpp"
#include "clustermass/math/dispersion.hpp"
#include "ragged.hpp"

namespace clustermass::ops {

// clang-format off
namespace baseline { extern const DispersionLoops dispersion_loops; }
#if defined(CM_MULTI_ISA)
namespace avx2 { extern const DispersionLoops dispersion_loops; }
namespace avx512 { extern const DispersionLoops dispersion_loops; }
#endif
// clang-format on

namespace {

const DispersionLoops& loops() {
#if defined(CM_MULTI_ISA)
    return choose(best_isa(), &baseline::dispersion_loops, &avx2::dispersion_loops, &avx512::dispersion_loops);
#else
    return baseline::dispersion_loops;
#endif
}

bool load(const float* from, std::int64_t n, double* to) { return loops().load_f32(from, n, to); }
bool load(const double* from, std::int64_t n, double* to) { return loops().load_f64(from, n, to); }

struct LocationAndScale {
    double location, scale;
};

double middle(const double* sorted, std::int64_t n) {
    return n % 2 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
}

/// Distance from `centre` of the k-th nearest of n sorted numbers, k from 1: the nearest k are neighbours.
double kth_distance(const double* sorted, std::int64_t n, double centre, std::int64_t k) {
    std::int64_t low = 0, high = n - k;
    while (low < high) {
        const std::int64_t at = low + (high - low) / 2;
        if (centre - sorted[at] > sorted[at + k] - centre)
            low = at + 1;
        else
            high = at;
    }
    return std::max(centre - sorted[low], sorted[low + k - 1] - centre);
}

/// Median of the distances from `centre`.
double median_distance(const double* sorted, std::int64_t n, double centre) {
    const double upper = kth_distance(sorted, n, centre, n / 2 + 1);
    return n % 2 ? upper : 0.5 * (kth_distance(sorted, n, centre, n / 2) + upper);
}

/// Of at least two numbers, sorted unless the method is `std`.
LocationAndScale measure(const double* values, std::int64_t n, Dispersion method) {
    if (method == Dispersion::std) {
        const double mean = loops().sum(values, n) / double(n);
        return {mean, std::sqrt(loops().sum_of_squares(values, n, mean) / double(n - 1))};
    }
    const double median = middle(values, n);
    if (method == Dispersion::gapper) return {median, math::gapper_scale(n, loops().weighted_gaps(values, n))};
    const double mad = median_distance(values, n, median);
    if (mad == 0) return {median, 0.0};
    const BiweightSums sums = loops().biweight(values, n, median, mad);
    return {median + sums.weighted / sums.weights, math::biweight_scale(n, sums.squares, sums.slopes)};
}

struct Workspace {
    std::vector<double> values, error, scratch;
    std::vector<std::uint32_t> ends;

    explicit Workspace(std::int64_t largest) : ends(std::size_t(largest) + 1) {
        for (auto* numbers : {&values, &scratch, &error}) numbers->resize(std::size_t(largest));
    }
};

/// Numbers into buckets of equal width, one a number, and each bucket by insertion: velocities are spread widely enough
/// that few share one. Where many do, the ordinary sort.
void sort_many(double* values, std::int64_t n, double* scratch, std::uint32_t* ends) {
    constexpr std::uint32_t kCrowd = 64;
    const auto [low, high] = std::minmax_element(values, values + n);
    const double first = *low, per_width = double(n - 1) / (*high - first);
    if (!std::isfinite(per_width) || n > std::numeric_limits<std::int32_t>::max()) {
        std::sort(values, values + n);
        return;
    }
    const auto bucket = [&](double value) { return std::min(std::int64_t((value - first) * per_width), n - 1); };
    std::fill_n(ends, n + 1, 0u);
    for (std::int64_t i = 0; i < n; ++i) ++ends[bucket(values[i]) + 1];
    if (*std::max_element(ends, ends + n + 1) > kCrowd) {
        std::sort(values, values + n);
        return;
    }
    for (std::int64_t i = 0; i < n; ++i) ends[i + 1] += ends[i];
    for (std::int64_t i = 0; i < n; ++i) scratch[ends[bucket(values[i])]++] = values[i];
    for (std::int64_t i = 0; i < n; ++i) {
        const double value = scratch[i];
        std::int64_t at = i;
        for (; at > 0 && values[at - 1] > value; --at) values[at] = values[at - 1];
        values[at] = value;
    }
}

void sort(std::int64_t n, Workspace& space) {
    if (n <= kFew)
        loops().sort_few(space.values.data(), n, space.scratch.data());
    else
        sort_many(space.values.data(), n, space.scratch.data(), space.ends.data());
}

struct Measured {
    LocationAndScale of;
    std::int64_t n_used;
    double slowest, fastest;  ///< range of the velocities used
};

/// The first n values of `space`, which are sorted here where that is needed.
Measured measure_cluster(std::int64_t n, const DispersionRule& rule, Workspace& space) {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (n < 2) return {{kNaN, kNaN}, n, kNaN, kNaN};
    const double* const values = space.values.data();
    if (rule.method == Dispersion::std && rule.clip == 0)
        return {measure(values, n, rule.method), n, -kInfinity, kInfinity};
    sort(n, space);
    std::int64_t first = 0, last = n;
    LocationAndScale now = measure(values, n, rule.method);
    for (std::int64_t turn = 0; rule.clip > 0 && turn < rule.max_iterations; ++turn) {
        const std::int64_t before = last - first;
        const double reach = rule.clip * now.scale;
        while (first < last && now.location - values[first] > reach) ++first;
        while (first < last && values[last - 1] - now.location > reach) --last;
        if (last - first == before) break;
        if (last - first < 2) return {{kNaN, kNaN}, last - first, kNaN, kNaN};
        now = measure(values + first, last - first, rule.method);
    }
    return {now, last - first, values[first], values[last - 1]};
}

template <class Real>
class Measuring {
public:
    Measuring(Span<const Real> velocity, Span<const std::int64_t> offsets, Span<const Real> error,
              const DispersionRule& rule, const DispersionResult& out)
        : velocity_(velocity), offsets_(offsets), error_(error), rule_(rule), out_(out) {}

    /// False when a number is not to be used.
    bool operator()(std::int64_t cluster, Workspace& space) const {
        const std::int64_t first = offsets_[cluster], n = offsets_[cluster + 1] - first;
        bool good = load(velocity_.data + first, n, space.values.data());
        if (good && error_.size) good = load(error_.data + first, n, space.error.data());
        if (!good) return false;
        Measured found = measure_cluster(n, rule_, space);
        if (error_.size && found.n_used >= 2)
            found.of.scale = math::without_errors(found.of.scale, mean_square_error(first, n, found, space));
        out_.sigma[cluster] = found.of.scale;
        out_.location[cluster] = found.of.location;
        out_.n_used[cluster] = found.n_used;
        return true;
    }

private:
    double mean_square_error(std::int64_t first, std::int64_t n, const Measured& found, const Workspace& space) const {
        double sum = 0;
        for (std::int64_t i = 0; i < n; ++i) {
            const double v = double(velocity_[first + i]), e = space.error[std::size_t(i)];
            sum += v >= found.slowest && v <= found.fastest ? e * e : 0.0;
        }
        return sum / double(found.n_used);
    }

    Span<const Real> velocity_;
    Span<const std::int64_t> offsets_;
    Span<const Real> error_;
    const DispersionRule& rule_;
    const DispersionResult& out_;
};

}  // namespace

template <class Real>
bool velocity_dispersions(Span<const Real> velocity, Span<const std::int64_t> offsets, Span<const Real> error,
                          const DispersionRule& rule, const Parallel& run, const DispersionResult& out) {
    check_offsets(offsets, velocity.size);
    const std::int64_t n_clusters = offsets.size - 1;
    if (out.sigma.size != n_clusters || out.location.size != n_clusters || out.n_used.size != n_clusters)
        throw ArrayError("`sigma`, `location` and `n_used` must have one number per cluster");
    if (error.size != 0 && error.size != velocity.size) throw ArrayError("`error` must be empty or one per galaxy");
    if (!(rule.clip >= 0) || rule.max_iterations < 0) throw DomainError("`clip` must not be negative");
    const Measuring<Real> measure_one(velocity, offsets, error, rule, out);
    std::atomic<bool> good{true};
    each_cluster(offsets, run, [&](std::int64_t first, std::int64_t last, std::int64_t largest) {
        Workspace space(largest);
        for (std::int64_t cluster = first; cluster < last && good; ++cluster)
            if (!measure_one(cluster, space)) good = false;
    });
    return good;
}

#define CM_INSTANTIATE(Real)                                                                               \
    template bool velocity_dispersions<Real>(Span<const Real>, Span<const std::int64_t>, Span<const Real>, \
                                             const DispersionRule&, const Parallel&, const DispersionResult&);
CM_INSTANTIATE(float)
CM_INSTANTIATE(double)
#undef CM_INSTANTIATE

}  // namespace clustermass::ops
