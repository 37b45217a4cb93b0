"""How the classical estimators measure velocity dispersions: estimator, clipping, interlopers, measurement errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import _validate as check
from ...ops.dispersion import METHODS, VelocityDispersions, shifting_gapper, velocity_dispersions

INTERLOPERS = ("keep", "shifting_gapper")


class Dispersions:
    """Velocity dispersions of observed clusters.

    Parameters
    ----------
    method : {"std", "gapper", "biweight"}
        As in `velocity_dispersions`.
    clip : float, optional
        As in `velocity_dispersions`.
    interlopers : {"keep", "shifting_gapper"}
        Whether galaxies that `shifting_gapper` refuses are left out first; it needs their radii.

    Raises
    ------
    DomainError, DTypeError
        For a word that is not known, or a clip not above zero.
    """

    def __init__(self, method: str = "std", clip: float | None = None, interlopers: str = "keep") -> None:
        self.method = check.choice(method, "method", METHODS)
        self.clip = None if clip is None else check.number(clip, "clip", above=0)
        self.interlopers = check.choice(interlopers, "interlopers", INTERLOPERS)

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"method": self.method, "clip": self.clip, "interlopers": self.interlopers}

    def __call__(self, clusters: Any) -> VelocityDispersions:
        """Measure; velocity errors, where the clusters have them, are subtracted in quadrature."""
        offsets, velocity = clusters.offsets, clusters.velocity
        error = getattr(clusters, "velocity_error", None)
        if self.interlopers == "shifting_gapper":
            keep = shifting_gapper(clusters.radius, velocity, offsets)
            offsets, velocity = kept_offsets(keep, offsets), velocity[keep]
            error = None if error is None else error[keep]
        return velocity_dispersions(velocity, offsets, method=self.method, clip=self.clip, velocity_error=error)


def kept_offsets(keep: NDArray[np.bool_], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Offsets of the galaxies kept."""
    return np.concatenate([[0], np.cumsum(keep)])[offsets]
