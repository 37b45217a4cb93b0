"""Numba twin of ``cpp/include/clustermass/core/philox.hpp``."""

from __future__ import annotations

import numpy as np

from ._jit import njit

SUBSAMPLE = 0x6A09E667F3BCC908
NOISE = 0x3C6EF372FE94F82B
UNIFORM = 0xA54FF53A5F1D36F1

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


def philox_key(seed: int, stream: int) -> np.uint64:
    """Key of a stream, as one number of 64 bits."""
    return np.uint64(seed ^ stream)


@njit(inline="always")
def philox(block, draw, item, key):
    """Four random words (each a uint64 below 2^32) of a counter; all arguments are uint64."""
    x0, x1, x2, x3 = block, draw, item & _LOW, item >> _HALF
    k0, k1 = key & _LOW, key >> _HALF
    for _ in range(10):
        p0, p2 = x0 * _M0, x2 * _M1
        x0, x1, x2, x3 = (p2 >> _HALF) ^ x1 ^ k0, p2 & _LOW, (p0 >> _HALF) ^ x3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return x0, x1, x2, x3
