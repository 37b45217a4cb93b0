"""Thermally averaged free-free Gaunt factor of Hummer 1988."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

LOWEST_U, HIGHEST_U = 1e-4, 10**1.5  #: h nu / kT between which the expansion holds
LOWEST_GAMMA2, HIGHEST_GAMMA2 = 1e-3, 1e3  #: Z^2 Ry / kT between which the expansion holds

# Hummer 1988, table 1: coefficient of T_i(log10(gamma^2) / 3) T_j((2 log10(u) + 2.5) / 5.5); rows i, columns j.
# The first of each index counts half.
_TABLE = np.array(
    [
        [8.986940175e00, -4.009515855e00, 8.808871266e-01, 2.640245111e-02,
         -4.580645915e-02, -3.568055702e-03, 2.827798067e-03, 3.365860195e-04],
        [-8.006936989e-01, 9.466021705e-01, 9.043402532e-02, -9.608451450e-02,
         -1.885629865e-02, 1.050313890e-02, 2.800889961e-03, -1.078209202e-03],
        [-3.781305103e-01, 1.102726332e-01, -1.543619180e-02, 8.310561114e-03,
         2.179620525e-02, 4.259726289e-03, -4.181588794e-03, -1.770208330e-03],
        [1.877213132e-02, -1.004885705e-01, -5.483366378e-02, -4.520154409e-03,
         8.366530426e-03, 3.700273930e-03, 6.889320423e-04, 9.460313195e-05],
        [7.300158392e-02, 3.576785497e-03, -4.545307025e-03, -1.017965604e-02,
         -9.530211924e-03, -3.450186162e-03, 1.040482914e-03, 1.407073544e-03],
        [-1.744671550e-03, 2.864013856e-02, 1.903394837e-02, 7.091074494e-03,
         -9.668371391e-04, -2.999107465e-03, -1.820642230e-03, -3.874082085e-04],
        [-1.707268366e-02, -4.694254776e-03, 1.311691517e-03, 5.316703136e-03,
         5.178193095e-03, 2.451228935e-03, -2.277321615e-05, -8.182359057e-04],
        [2.567331664e-04, -9.155339970e-03, -6.997479192e-03, -3.571518641e-03,
         -2.096101038e-04, 1.553822487e-03, 1.509584686e-03, 6.212627837e-04],
        [4.098322531e-03, 1.635218463e-03, -5.918883504e-04, -2.333091048e-03,
         -2.484138313e-03, -1.359996060e-03, -5.371426147e-05, 5.553549563e-04],
        [3.837562402e-05, 2.938325230e-03, 2.393747064e-03, 1.328839809e-03,
         9.135013312e-05, -7.137252303e-04, -7.656848158e-04, -3.504683798e-04],
        [-8.491991820e-04, -3.615327726e-04, 3.148015257e-04, 8.909207650e-04,
         9.869737522e-04, 6.134671184e-04, 1.068883394e-04, -2.046080100e-04],
    ]
)  # fmt: skip
_HALF = np.ones(11)
_HALF[0] = 0.5
_COEFFICIENTS = _TABLE * np.outer(_HALF, _HALF[:8])


def free_free_gaunt(u: ArrayLike, gamma2: ArrayLike) -> FloatArray:
    """Gaunt factor of free-free emission, averaged over a Maxwell distribution of electrons, at one frequency.

    Parameters
    ----------
    u : array_like of float
        Photon energy over kT.
    gamma2 : array_like of float
        Rydberg energy times Z^2 over kT, same shape as `u` or broadcast with it.

    Returns
    -------
    ndarray of float64
        Dimensionless, about 0.9 to 1.4 for u = 1.

    Notes
    -----
    Accuracy: 0.7 % at worst, 0.1 % rms, for 1e-4 <= u <= 31.6 and 1e-3 <= gamma2 <= 1e3, non-relativistic [1]_; that
    is 1.6e2 to 1.6e8 K for hydrogen. Outside, the value at the edge is taken: above 1.6e8 K the mean over frequency is
    then 1 % to 2 % too high, where relativistic corrections of the same size are left out too. Averaged over frequency
    it agrees with the newer computation of [2]_ within 0.15 % (tested).

    References
    ----------
    .. [1] Hummer 1988, ApJ 327, 477, table 1.
    .. [2] van Hoof et al. 2014, MNRAS 444, 420.

    Examples
    --------
    >>> float(free_free_gaunt(1.0, 0.01).round(3))
    0.969
    """
    log_u = np.log10(np.clip(u, LOWEST_U, HIGHEST_U))
    log_gamma2 = np.log10(np.clip(gamma2, LOWEST_GAMMA2, HIGHEST_GAMMA2))
    x, y = np.broadcast_arrays(log_gamma2 / 3.0, (2.0 * log_u + 2.5) / 5.5)
    value: Any = np.polynomial.chebyshev.chebval2d(x, y, _COEFFICIENTS)
    return np.asarray(value, np.float64)
