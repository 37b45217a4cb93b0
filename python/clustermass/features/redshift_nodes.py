"""Photons of gas seen from many redshifts: made at a few of them, combined for each view.

The counts in a band depend on the redshift through the K-correction, not only through the distance. A particle is
projected once for all views, so its weights are made at a few redshifts, and each view takes the polynomial through
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..ops.project import MAX_CHANNELS
from .channels import Channel

FloatArray = NDArray[np.float64]

_STEP = 0.15  # of ln(1 + z) to one more node
_FEWEST, _MOST = 2, 6


def redshift_nodes(redshift: float | tuple[float, float], n_channels: int = 1) -> FloatArray:
    """Redshifts at which weights are made, for views between two redshifts: Chebyshev nodes in ln(1 + z).

    Examples
    --------
    >>> redshift_nodes(0.3).tolist(), len(redshift_nodes((0.03, 0.07))), len(redshift_nodes((0.01, 1.5), 10))
    ([0.3], 2, 6)
    """
    low, high = np.log1p(np.min(redshift)), np.log1p(np.max(redshift))
    if high == low:
        return np.array([float(np.min(redshift))])
    n = int(np.clip(_FEWEST + (high - low) // _STEP, _FEWEST, min(_MOST, max(_FEWEST, MAX_CHANNELS // n_channels))))
    x = np.cos(np.pi * (np.arange(n) + 0.5) / n)[::-1]
    return np.asarray(np.expm1(0.5 * (low + high) + 0.5 * (high - low) * x))


def with_nodes(channels: Sequence[Channel], redshift: float | tuple[float, float]) -> tuple[Channel, ...]:
    """The channels to accumulate: one of photons becomes one at each node, the others stay."""
    nodes = redshift_nodes(redshift, max(1, sum(c.quantity == "photons" for c in channels)))
    return tuple(
        made
        for channel in channels
        for made in (
            [replace(channel, name=_node_name(channel, k), redshift=float(z)) for k, z in enumerate(nodes)]
            if channel.quantity == "photons"
            else [channel]
        )
    )


def take_channel(
    sums: dict[str, FloatArray], channel: Channel, redshift: FloatArray, planned: float | tuple[float, float],
    n_photon_channels: int,
) -> FloatArray:  # fmt: skip
    """The summed weights of a channel for views at `redshift` (view,), taken out of `sums`: (view, rows, cols)."""
    if channel.quantity != "photons":
        return sums.pop(channel.name)
    nodes = redshift_nodes(planned, max(1, n_photon_channels))
    shares = lagrange(np.log1p(nodes), np.log1p(redshift))
    total = sum(shares[:, k, None, None] * sums.pop(_node_name(channel, k)) for k in range(len(nodes)))
    return np.maximum(total, 0.0)


def lagrange(nodes: FloatArray, x: FloatArray) -> FloatArray:
    """Share of each node in the polynomial through all of them, at x: (k,), (n,) -> (n, k)."""
    shares = np.ones((len(x), len(nodes)))
    for k, node in enumerate(nodes):
        for other in np.delete(nodes, k):
            shares[:, k] *= (x - other) / (node - other)
    return shares


def _node_name(channel: Channel, k: int) -> str:
    return f"{channel.name}/{k}"
