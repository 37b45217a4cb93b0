"""How much matter the particles of a snapshot amount to: a check of units, cut-outs and thinned samples."""

from __future__ import annotations

import math

import numpy as np

from ..schema import PARTICLE_TYPES
from .header import CRITICAL_DENSITY
from .snapshot import Snapshot


def omega_in_particles(snapshot: Snapshot, *, max_read: int = 5_000_000) -> float | None:
    """Mean density of all particles over the critical density today: Omega_m in a whole cosmological box.

    Parameters
    ----------
    snapshot : Snapshot
        Of a run with expansion.
    max_read : int
        Give up where more masses than this would have to be read.

    Returns
    -------
    float or None
        None without a box, without expansion, without masses, or above `max_read`.
    """
    head = snapshot.header
    if head.box_size is None or not head.is_cosmological:
        return None
    held = [(t, n, m) for t, n, m in zip(PARTICLE_TYPES, head.counts, head.mass_table, strict=True) if n]
    stored = [t for t, _, mass in held if mass == 0]
    if any("masses" not in snapshot.fields(t) for t in stored) or sum(map(snapshot.count, stored)) > max_read:
        return None
    total = math.fsum(n * mass for _, n, mass in held)
    for ptype in stored:
        for chunk in snapshot.iter_chunks(ptype, "masses", byte_budget=2**24):
            total += float(chunk["masses"].sum(dtype=np.float64))
    return total / (CRITICAL_DENSITY * head.h**2 * head.box_size**3)
