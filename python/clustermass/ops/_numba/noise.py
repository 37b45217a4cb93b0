"""Numba twin of ``cpp/src/noise_loops.cpp`` and ``math/normal.hpp``: same operations in the same order, same bits.

Serial on purpose: it serves machines where the extension is not built.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from ._jit import njit
from ._philox import NOISE, philox, philox_key

_f = np.float32
_SQRT_HALF = np.int32(0x3F3504F3)
_TWO_LN2 = _f(1.38629436111989061883)
_LOG = tuple(
    _f(c)
    for c in (-0.17400802671909332, 0.2853386402130127, -0.2982901632785797, 0.33155304193496704,
              -0.399262011051178, 0.5000267028808594, -0.6666781902313232, 1.0)
)  # fmt: skip
_SINE = tuple(_f(c) for c in (0.7853981852531433, -0.08074583113193512, 0.0024910164065659046, -3.660915172076784e-05))
_COSINE = tuple(_f(c) for c in (-0.3084244132041931, 0.01585014909505844, -0.0003189770213793963))
_HALF, _ONE, _TINY = _f(0.5), _f(1.0), _f(2.0**-31)


@njit()
def _radius(word, scratch, bits):
    """sqrt(-2 ln u) of a word; `bits` is the memory of `scratch` seen as int32."""
    scratch[0] = _f(np.int32(word >> np.uint64(1))) + _HALF
    exponent = (bits[0] - _SQRT_HALF) >> np.int32(23)
    if exponent == 31:  # above sqrt(1/2), u - 1 has more bits than u rounded to a float
        f = (_f(np.int32(0x7FFFFFFF) - np.int32(word >> np.uint64(1))) + _HALF) * -_TINY
    else:
        bits[0] -= exponent << np.int32(23)
        f = scratch[0] - _ONE
    p = _LOG[0]
    p = p * f + _LOG[1]
    p = p * f + _LOG[2]
    p = p * f + _LOG[3]
    p = p * f + _LOG[4]
    p = p * f + _LOG[5]
    p = p * f + _LOG[6]
    p = p * f + _LOG[7]
    return _f(sqrt((p * (f * f) - (f + f)) + _f(np.int32(31) - exponent) * _TWO_LN2))


@njit()
def _pair(radius_word, angle_word, scratch, bits):
    radius = _radius(radius_word, scratch, bits)
    x = _f(np.int32(np.uint32((angle_word << np.uint64(2)) | np.uint64(2)))) * _TINY
    q = x * x
    sine = x * (_SINE[0] + q * (_SINE[1] + q * (_SINE[2] + q * _SINE[3])))
    cosine = _ONE + q * (_COSINE[0] + q * (_COSINE[1] + q * _COSINE[2]))
    if angle_word & np.uint64(1 << 30):
        cosine = -cosine
    along, across = radius * cosine, radius * sine
    if angle_word & np.uint64(1 << 31):
        return across, along
    return along, across


@njit(nogil=True)
def _noise(images, sigma, items, key):
    n_items, channels, pixels = images.shape
    normals = np.empty(4, np.float32)
    scratch = np.empty(1, np.float32)
    bits = scratch.view(np.int32)
    for i in range(n_items):
        item = np.uint64(items[i])
        for channel in range(channels):
            if sigma[channel] == 0:
                continue
            block = -1
            for pixel in range(pixels):
                element = channel * pixels + pixel
                if element // 4 != block:
                    block = element // 4
                    w0, w1, w2, w3 = philox(np.uint64(block), np.uint64(0), item, key)
                    normals[0], normals[1] = _pair(w0, w2, scratch, bits)
                    normals[2], normals[3] = _pair(w1, w3, scratch, bits)
                images[i, channel, pixel] += sigma[channel] * normals[element % 4]


def noise_f32(images, sigma, items, *, seed, n_threads):
    """Add noise in place; `n_threads` has no effect."""
    del n_threads
    _noise(images, sigma.astype(images.dtype), items, philox_key(seed, NOISE))


noise_f64 = noise_f32
