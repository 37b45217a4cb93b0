"""Masses from the Compton Y of clusters: the relation of Planck 2013 results XX."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import _validate as check
from ...cosmology import Cosmology
from .power_law import FloatArray, PowerLaw
from .scaling_relation import QuantityEstimator

_LOG10_Y, _SLOPE, _PIVOT, _BETA, _SCATTER = -0.19, 1.79, math.log10(6e14), 2.0 / 3.0, 0.075
#: of the calibration: (1 - b) M500c [Msun] of its 71 clusters, and redshift
VALID_MASS, VALID_REDSHIFT = (1e14, 2e15), (0.0, 0.5)


class ComptonMass(QuantityEstimator):
    """M500c from ``quantities["y_500"]``, D_A^2 Y within R500 [Mpc^2].

    E(z)^(-2/3) Y / 1e-4 Mpc^2 = 10^-0.19 (h / 0.7)^(1.79 - 2) [(1 - b) M500c / 6e14 Msun]^1.79, with a scatter of
    0.075 dex (17.3 %) in Y at fixed mass: equations 7 and 8 and table 1 of the source. The masses of its calibration
    are hydrostatic, (1 - b) of the true ones.

    Parameters
    ----------
    one_minus_b : float
        The hydrostatic bias: 0.8 as in the source; 1 gives hydrostatic masses, as in the catalogues of Planck.

    Raises
    ------
    DomainError
        If the bias is not above zero.

    Notes
    -----
    Masses are flagged ``out_of_support`` beyond 1e14 < (1 - b) M500c / Msun < 2e15 and z < 0.5, about what the
    71 clusters of the calibration cover.

    References
    ----------
    Planck Collaboration 2014, A&A 571, A20 (2013 results XX).
    """

    name = "y-m"
    mass_definition = "M500c"
    source = "Planck Collaboration 2014, A&A 571, A20, eq. 7-8 and table 1"
    quantity = "y_500"

    def __init__(self, one_minus_b: float = 0.8) -> None:
        self.one_minus_b = check.number(one_minus_b, "one_minus_b", above=0, high=2)

    def law(self, cosmology: Cosmology) -> PowerLaw:
        """The relation in a cosmology, for Y in Mpc^2 and true masses."""
        shift = (_SLOPE - 2.0) * math.log10(cosmology.h / 0.7) + _SLOPE * math.log10(self.one_minus_b)
        return PowerLaw(_LOG10_Y - 4.0 + shift, _SLOPE, _PIVOT, _BETA, _SCATTER)

    def is_valid(self, log10_mass: FloatArray, log10_quantity: FloatArray, redshift: FloatArray) -> NDArray[np.bool_]:
        """Within the masses and redshifts of the calibration."""
        hydrostatic = log10_mass + math.log10(self.one_minus_b)
        low, high = np.log10(VALID_MASS)
        near = (redshift >= VALID_REDSHIFT[0]) & (redshift <= VALID_REDSHIFT[1])
        return np.asarray((hydrostatic >= low) & (hydrostatic <= high) & near)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Its setting."""
        return {"one_minus_b": self.one_minus_b}, {}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The estimator of which `state` came."""
        return cls(**config)


def compton_of_mass(
    m500c: ArrayLike, redshift: Any, cosmology: Cosmology, *, one_minus_b: float = 0.8
) -> NDArray[np.float64]:
    """Mean (in the logarithm) D_A^2 Y500 [Mpc^2] of clusters of `m500c` [Msun]: the relation of `ComptonMass` forwards.

    Examples
    --------
    >>> from clustermass.cosmology import Cosmology
    >>> planck = Cosmology(h=0.7, omega_m=0.3)
    >>> round(float(compton_of_mass(6e14, 0.0, planck, one_minus_b=1.0)) / 1e-4, 4)
    0.6457
    """
    law = ComptonMass(one_minus_b).law(cosmology)
    mass = np.log10(np.asarray(m500c, np.float64))
    return np.asarray(10.0 ** law.quantity(mass, cosmology.expansion(redshift)))
