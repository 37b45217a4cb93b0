"""Random numbers that depend on what they are for, and on nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


def mixed(a: IntArray, b: IntArray) -> IntArray:
    """One 64-bit number for each pair of numbers, well spread: the finaliser of SplitMix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = a.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + b.astype(np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return z.view(np.int64)


def mixed_seed(seed: int, *parts: int) -> int:
    """A seed of its own for each combination of numbers: the same finaliser, for each number and once more."""
    value = seed
    for part in (*parts, 0):
        value = (value + 0x9E3779B97F4A7C15 * (part + 1)) % 2**64
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
        value ^= value >> 31
    return value


def uniform(seed: int, ids: IntArray, purpose: int) -> NDArray[np.float64]:
    """A number from [0, 1) for each id."""
    key = mixed(np.array([seed], np.uint64).view(np.int64), np.array([purpose], np.int64))
    bits = mixed(np.broadcast_to(key, ids.shape), ids).view(np.uint64)
    return np.asarray((bits >> np.uint64(11)) / 2.0**53)
