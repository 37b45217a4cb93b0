"""Numba twin of ``cpp/src/beam.cpp``: same names and arguments, sums in float64.

Serial on purpose: it serves machines where the extension is not built.
"""

from __future__ import annotations

import numpy as np

from ._jit import njit


@njit(nogil=True)
def _filter_rows(image, taps, reach, first, out):
    """out[r, c] is the filtered image[r, first + c]; outside the image is zero."""
    cols = image.shape[1]
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            centre = first + c
            total = taps[0] * image[r, centre]
            for k in range(1, reach + 1):
                if centre >= k:
                    total += taps[k] * image[r, centre - k]
                if centre + k < cols:
                    total += taps[k] * image[r, centre + k]
            out[r, c] = total


@njit(nogil=True)
def _beam(images, taps, reach, out, margin):
    rows, cols = images.shape[1:]
    out_rows, out_cols = out.shape[1:]
    for i in range(images.shape[0]):
        channel = i % reach.size
        unused = max(0, margin - reach[channel])  # the part of the border that no tap meets
        image = images[i, unused : rows - unused, unused : cols - unused].astype(np.float64)
        if not np.isfinite(image).all():
            return False
        weights = taps[channel].astype(np.float64)
        across = np.empty((image.shape[0], out_cols))
        _filter_rows(image, weights, reach[channel], margin - unused, across)
        down = np.empty((out_cols, out_rows))
        _filter_rows(across.T.copy(), weights, reach[channel], margin - unused, down)
        out[i] = down.T
    return True


def beam_f64(images, taps, reach, out, *, margin, n_threads):
    """`n_threads` has no effect."""
    del n_threads
    if np.shares_memory(images, out) and not np.isfinite(images).all():
        return False  # the only copy of the input stays as it was
    return _beam(images, taps, reach, out, margin)


beam_f32 = beam_f64
