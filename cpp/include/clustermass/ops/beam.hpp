#pragma once
#include <cstdint>

#include "clustermass/core/parallel.hpp"
#include "clustermass/core/span.hpp"

namespace clustermass::ops {

/// One image and the filter that goes over its rows and columns. A margin > 0 is a border of the input that is used
/// and cut off; with margin 0 everything outside the image is zero.
template <class Real>
struct BeamImage {
    const Real* in;  ///< rows x cols
    Real* out;       ///< (rows - 2 margin) x (cols - 2 margin); may be `in` when margin is 0
    std::int64_t rows, cols, margin;
    const Real* taps;    ///< taps[k] multiplies the pixels at distance k, k = 0..reach
    std::int64_t reach;  ///< [pixel]
};

/// The hot loops, compiled once per instruction set.
template <class Real>
struct BeamLoops {
    /// Values of scratch that `convolve` needs.
    std::int64_t (*scratch_size)(const BeamImage<Real>&);
    /// False when a pixel that was used is NaN or infinite. `scratch` starts on a 64-byte boundary.
    bool (*convolve)(const BeamImage<Real>&, Real* scratch);
    bool (*all_finite)(const Real* values, std::int64_t n);
};

/// Convolve image i with the symmetric separable filter taps.row(i % channels), cut at reach[i % channels] pixels.
/// Returns false when a pixel that was used is NaN or infinite: `out` then holds nothing of use, except that an `out`
/// which is the input itself is left as it was. Bitwise independent of the number of threads; each running thread
/// holds about (2 reach + 64) x (cols + 128) values. Throws DomainError when margin or reach do not fit the images.
template <class Real>
bool convolve_beam(Stack<const Real> images, Table<const Real> taps, Span<const std::int64_t> reach,
                   std::int64_t margin, const Parallel& run, Stack<Real> out);

}  // namespace clustermass::ops
