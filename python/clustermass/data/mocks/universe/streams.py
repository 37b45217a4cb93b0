"""Random numbers by purpose: what one part draws never depends on what another has drawn before."""

from __future__ import annotations

import numpy as np

from .... import _validate as check

#: purpose -> number in the key; these numbers are part of what a seed means
PURPOSES = {
    "field": 1,
    "halo counts": 2,
    "halo places": 3,
    "halo masses": 4,
    "concentrations": 5,
    "galaxies": 100,
    "outskirts": 101,
    "infalling": 102,
    "gas": 103,
}


def stream(seed: int, purpose: str, block: int = 0) -> np.random.Generator:
    """Random numbers of one purpose and block (a mass bin, a shell of modes, a run of haloes).

    Philox (Salmon et al. 2011) keyed by the three, so results do not depend on order, nor on threads.

    Parameters
    ----------
    seed : int
        0 to 2^64 - 1.
    purpose : str
        A key of `PURPOSES`.
    block : int
        0 to 2^32 - 1.

    Examples
    --------
    >>> bool(stream(1, "field", 3).random() == stream(1, "field", 3).random())
    True
    """
    block = check.integer(block, "block", low=0, high=2**32 - 1)
    key = np.array([check.seed(seed), (PURPOSES[purpose] << 32) | block], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
