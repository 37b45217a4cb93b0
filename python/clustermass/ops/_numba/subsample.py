"""Numba twin of ``cpp/src/subsample_loops.cpp``: same definition, same bits.

Serial on purpose: it serves machines where the extension is not built.
"""

from __future__ import annotations

import numpy as np

from ._jit import njit
from ._philox import SUBSAMPLE, UNIFORM, philox, philox_key

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_WORDS = 4


@njit()
def _exchange(permutation, n_members, n_steps, draw, item, key):
    """The first `n_steps` steps of a Fisher-Yates shuffle of the first `n_members` entries."""
    words = np.empty(_WORDS, np.uint64)
    block, used = np.uint64(0), _WORDS
    step = 0
    while step < n_steps:
        if used == _WORDS:
            words[0], words[1], words[2], words[3] = philox(block, draw, item, key)
            block += np.uint64(1)
            used = 0
        size = np.uint64(n_members - step)
        product = words[used] * size
        used += 1
        low = product & _LOW
        if low < size and low < (np.uint64(1 << 32) - size) % size:
            continue  # one of the few words that would make some integers likelier than others
        position = step + np.int64(product >> _HALF)
        permutation[step], permutation[position] = permutation[position], permutation[step]
        step += 1


@njit(nogil=True)
def _subsample(offsets, items, draw_offsets, indices, n_draws, key, permutation):
    for row in range(draw_offsets.size - 1):
        item = row // n_draws
        base, first = offsets[item], draw_offsets[row]
        n, k = offsets[item + 1] - base, draw_offsets[row + 1] - first
        n_steps = min(k, n - k)
        _exchange(permutation, n, n_steps, np.uint64(row % n_draws), np.uint64(items[item]), key)
        start = 0 if k <= n - k else n_steps  # the members taken, or those left over
        for i in range(k):
            indices[first + i] = base + permutation[start + i]
        if n_steps >= n // 16:
            for i in range(n):
                permutation[i] = i
        else:  # few steps: what left its place is before n_steps or was taken from its own place
            for i in range(n_steps):
                if permutation[i] >= n_steps:
                    permutation[permutation[i]] = permutation[i]
            for i in range(n_steps):
                permutation[i] = i


def subsample(offsets, items, draw_offsets, indices, *, n_draws, seed, n_threads):
    """Fill `indices`; `n_threads` has no effect."""
    del n_threads
    permutation = np.arange(np.diff(offsets).max(initial=0), dtype=np.uint32)
    _subsample(offsets, items, draw_offsets, indices, n_draws, philox_key(seed, SUBSAMPLE), permutation)


@njit(nogil=True)
def _uniform(items, out, key):
    for i in range(items.size):
        high, low, _, _ = philox(np.uint64(0), np.uint64(0), np.uint64(items[i]), key)
        out[i] = (np.float64(high >> np.uint64(5)) * 2.0**26 + np.float64(low >> np.uint64(6))) * 2.0**-53


def subsample_uniform(items, out, *, seed, n_threads):
    """Fill `out` with numbers in [0, 1); `n_threads` has no effect."""
    del n_threads
    _uniform(items, out, philox_key(seed, UNIFORM))
