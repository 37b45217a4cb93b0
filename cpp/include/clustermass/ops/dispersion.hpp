#pragma once
#include <cstdint>

#include "clustermass/core/parallel.hpp"
#include "clustermass/core/span.hpp"

namespace clustermass::ops {

enum class Dispersion { std, gapper, biweight };

struct DispersionRule {
    Dispersion method;
    double clip;                  ///< galaxies further than this many sigma from the location leave; 0: all stay
    std::int64_t max_iterations;  ///< of the clipping
};

/// Sums over the galaxies of a cluster.
struct BiweightSums {
    double weights, weighted;  ///< for the location
    double squares, slopes;    ///< for the scale
};

/// Numbers that `sort_few` is meant for.
inline constexpr std::int64_t kFew = 64;

/// Velocities up to this are taken [km/s]: their squares and sums of these are far from overflow.
inline constexpr double kFastest = 1e100;

struct DispersionResult {
    Span<double> sigma, location;
    Span<std::int64_t> n_used;
};

/// The hot loops, compiled per instruction set; all give the same bits.
struct DispersionLoops {
    /// Copies n numbers as float64. Returns false if one is NaN or beyond kFastest.
    bool (*load_f32)(const float* from, std::int64_t n, double* to);
    bool (*load_f64)(const double* from, std::int64_t n, double* to);
    /// Sorts numbers by counting, for each, those before it: for few of them. `scratch` has room for n numbers.
    void (*sort_few)(double* values, std::int64_t n, double* scratch);
    double (*sum)(const double* values, std::int64_t n);
    double (*sum_of_squares)(const double* values, std::int64_t n, double middle);
    double (*weighted_gaps)(const double* sorted, std::int64_t n);
    BiweightSums (*biweight)(const double* values, std::int64_t n, double median, double mad);
};

/// Location and scale of the velocities of each cluster. `error` is empty or has one number per galaxy. Clusters of
/// fewer than two galaxies get NaN. Returns false if a number is NaN or beyond kFastest; results are then not to be
/// used.
template <class Real>
bool velocity_dispersions(Span<const Real> velocity, Span<const std::int64_t> offsets, Span<const Real> error,
                          const DispersionRule& rule, const Parallel& run, const DispersionResult& out);

struct GapperRule {
    std::int64_t per_bin;      ///< galaxies of a bin in radius
    std::int64_t min_members;  ///< a bin that has fewer left is done
    double min_gap;            ///< a bin whose gap is smaller is done
};

/// keep[i] = 0 for the galaxies that the shifting gapper takes for interlopers, else 1.
template <class Real>
bool shifting_gapper(Span<const Real> radius, Span<const Real> velocity, Span<const std::int64_t> offsets,
                     const GapperRule& rule, const Parallel& run, Span<std::uint8_t> keep);

}  // namespace clustermass::ops
