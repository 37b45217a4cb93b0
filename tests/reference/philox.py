"""Philox4x32-10 (Salmon et al. 2011) in NumPy, one word per entry of uint64 arrays."""

from __future__ import annotations

import numpy as np

LOW = np.uint64(0xFFFFFFFF)
STREAMS = {"subsample": 0x6A09E667F3BCC908, "noise": 0x3C6EF372FE94F82B, "uniform": 0xA54FF53A5F1D36F1}


def rounds(counter, key):
    """Four words for a counter of four words and a key of two."""
    x0, x1, x2, x3 = (np.atleast_1d(np.asarray(c, np.uint64)) for c in counter)
    k0, k1 = (int(k) for k in key)
    for _ in range(10):
        p0, p2 = x0 * np.uint64(0xD2511F53), x2 * np.uint64(0xCD9E8D57)
        x0, x1, x2, x3 = (
            (p2 >> np.uint64(32)) ^ x1 ^ np.uint64(k0),
            p2 & LOW,
            (p0 >> np.uint64(32)) ^ x3 ^ np.uint64(k1),
            p0 & LOW,
        )
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return np.stack(np.broadcast_arrays(x0, x1, x2, x3), axis=-1)


def words(seed, stream, item, draw, blocks):
    """Words of the given blocks of one (item, draw), in sequence: shape (4 * len(blocks),)."""
    key, item = seed ^ STREAMS[stream], int(item) % 2**64
    counter = (np.asarray(blocks), draw, item % 2**32, item >> 32)
    return rounds(counter, (key % 2**32, key >> 32)).ravel()
