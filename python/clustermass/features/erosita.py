"""What eROSITA sees with: energy bands, effective area, Galactic absorption, point-spread function, background."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import units
from ..constants import KEV_ERG

FloatArray = NDArray[np.float64]
Band = tuple[float, float]

#: the ten bands [keV] of the images of Krippendorf et al. 2024 (A&A 682, A132)
ENERGY_BANDS: tuple[Band, ...] = tuple(((250 + 205 * k) / 1000.0, (455 + 205 * k) / 1000.0) for k in range(10))
#: their names as channels
BAND_NAMES: tuple[str, ...] = tuple(f"band_{250 + 205 * k:04d}_{455 + 205 * k:04d}" for k in range(10))

EXPOSURE = 1200.0  #: s, typical of eFEDS after vignetting (Liu et al. 2022, A&A 661, A2)
PSF_HEW = 30.0 * units.ARCMIN_RAD / 60.0  #: rad, half-energy width averaged over the field of a survey (goal: 26 to 30)
COLUMN = 3.0e20  #: hydrogen atoms per cm^2 in front of the sky, typical of eFEDS

# Area of the seven modules on the axis [cm^2] at energies [keV]. The calibration file of the instrument is not part of
# this package: these points are the smooth curve that gives the conversion factors (counts per fluence of absorbed
# power laws, slopes 1.4 to 2.2, columns 1e19 to 1e21) of the package ecfxa 1.0, within 1.5 % above 0.5 keV and 4 % in
# bands that start at 0.2 keV. Steps at the edges of carbon, oxygen and aluminium are smoothed over.
_AREA_ENERGY = np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.2, 5.0])
_AREA = np.array([80, 240, 760, 1150, 1220, 1540, 1930, 2230, 2400, 2430, 2330, 2090, 1750, 1330, 900, 620, 520, 500])

# Morrison & McCammon 1983 (ApJ 270, 119), table 2: (c0 + c1 E + c2 E^2) E^-3 1e-24 cm^2 per hydrogen atom above each
# energy [keV]
_ABSORPTION = np.array(
    [
        [0.030, 17.3, 608.1, -2150.0],
        [0.100, 34.6, 267.9, -476.1],
        [0.284, 78.1, 18.8, 4.3],
        [0.400, 71.4, 66.8, -51.4],
        [0.532, 95.5, 145.8, -61.1],
        [0.707, 308.9, -380.6, 294.0],
        [0.867, 120.6, 169.3, -47.7],
        [1.303, 141.3, 146.8, -31.5],
        [1.840, 202.7, 104.7, -17.0],
        [2.471, 342.7, 18.7, 0.0],
        [3.210, 352.2, 18.7, 0.0],
        [4.038, 433.9, -2.4, 0.75],
        [7.111, 629.0, 30.9, 0.0],
        [8.331, 701.2, 25.2, 0.0],
    ]
)

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


def effective_area(energy: ArrayLike) -> FloatArray:
    """Effective area of the seven telescopes on the axis [cm^2] at photon energies [keV]; 0 outside 0.2 to 5 keV.

    Examples
    --------
    >>> effective_area([0.1, 1.0, 1.3]).tolist()
    [0.0, 2230.0, 2415.0]
    """
    return np.asarray(np.interp(np.asarray(energy, np.float64), _AREA_ENERGY, _AREA, left=0.0, right=0.0))


def transmission(energy: ArrayLike, column: float = COLUMN) -> FloatArray:
    """Share of the photons that the gas of our Galaxy lets through, after Morrison & McCammon 1983 (solar abundances).

    Parameters
    ----------
    energy : array_like of float
        [keV], 0.03 to 10.
    column : float
        Hydrogen atoms per cm^2.

    Examples
    --------
    >>> transmission([0.3, 1.0, 2.0]).round(3).tolist()
    [0.393, 0.93, 0.987]
    """
    e = np.asarray(energy, np.float64)
    _, c0, c1, c2 = _ABSORPTION[np.clip(np.searchsorted(_ABSORPTION[:, 0], e, side="right") - 1, 0, None)].T
    return np.asarray(np.exp(-column * 1e-24 * (c0 + c1 * e + c2 * e**2) / e**3).T)


def band_nodes(band: Band) -> tuple[FloatArray, FloatArray]:
    """Energies [keV] and weights of a quadrature over a band, divided where area or absorption have corners."""
    corners = np.concatenate([_AREA_ENERGY, _ABSORPTION[:, 0]])
    edges = np.unique([band[0], *corners[(corners > band[0]) & (corners < band[1])], band[1]])
    middle, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    return (middle[:, None] + half[:, None] * _NODES).ravel(), (half[:, None] * _WEIGHTS).ravel()


def power_law_response(band: Band, slope: float = 1.9, column: float = COLUMN) -> float:
    """Counts per second in a band for an energy flux of 1 erg/s/cm^2 between 0.5 and 2 keV before absorption.

    Parameters
    ----------
    band : (float, float)
        [keV].
    slope : float
        Photon index, not 2; 1.9 is typical of active galactic nuclei.
    column : float
        Hydrogen atoms per cm^2 that absorb.

    Examples
    --------
    >>> f"{power_law_response((0.5, 2.0)):.2e}"
    '1.08e+12'
    """
    energy, weight = band_nodes(band)
    counts = float((weight * energy**-slope * effective_area(energy) * transmission(energy, column)).sum())
    flux: float = (2.0 ** (2.0 - slope) - 0.5 ** (2.0 - slope)) / (2.0 - slope) * KEV_ERG
    return counts / flux
