"""A cosmic web for the background of a mock: Zel'dovich displacements of a Gaussian random field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .profiles import Epoch

FloatArray = NDArray[np.float64]

SIGMA8, SPECTRAL_INDEX = 0.8228, 0.96  #: of MDPL2
_SMOOTHING = 2.0  # Mpc: without the smaller modes, whose shells have crossed long ago, the web stays sharp (Coles 1993)
_PEAK_SCALE = 7.0  # Mpc: Gaussian radius of a Lagrangian patch of about 5e14 Msun


def transfer_function(k: FloatArray, epoch: Epoch) -> FloatArray:
    """Transfer function of cold matter without wiggles at k [1/Mpc] (Eisenstein & Hu 1998, ApJ 496, 605, eq. 26-31)."""
    matter, baryons = epoch.omega_m * epoch.h**2, epoch.omega_b * epoch.h**2
    share = epoch.omega_b / epoch.omega_m
    sound = 44.5 * np.log(9.83 / matter) / np.sqrt(1.0 + 10.0 * baryons**0.75)
    alpha = 1.0 - 0.328 * np.log(431.0 * matter) * share + 0.38 * np.log(22.3 * matter) * share**2
    shape = epoch.omega_m * epoch.h * (alpha + (1.0 - alpha) / (1.0 + (0.43 * k * sound) ** 4))
    q = k / epoch.h * (2.7255 / 2.7) ** 2 / shape
    low = np.log(2.0 * np.e + 1.8 * q)
    return np.asarray(low / (low + (14.2 + 731.0 / (1.0 + 62.5 * q)) * q**2))


def growth(epoch: Epoch) -> float:
    """Linear growth since the epoch to redshift 0, D(z) / D(0) (Carroll, Press & Turner 1992, eq. 29)."""

    def suppression(matter: float) -> float:
        dark = 1.0 - matter
        return 2.5 * matter / (float(matter ** (4 / 7)) - dark + (1.0 + matter / 2.0) * (1.0 + dark / 70.0))

    return epoch.scale_factor * suppression(epoch.matter_fraction) / suppression(epoch.omega_m)


def _amplitude(epoch: Epoch) -> float:
    """Factor of k^n T^2 that gives sigma8 at redshift 0."""
    k = np.geomspace(1e-4, 30.0, 4000)
    x = k * 8.0 / epoch.h
    window = 3.0 * (np.sin(x) - x * np.cos(x)) / x**3
    power = k**SPECTRAL_INDEX * transfer_function(k, epoch) ** 2
    integrand = power * window**2 * k**3 / (2.0 * np.pi**2)
    variance = (0.5 * (integrand[1:] + integrand[:-1]) * np.diff(np.log(k))).sum()
    return float(SIGMA8**2 / variance)


@dataclass(frozen=True)
class Web:
    """Particles of equal mass in a periodic box, and where its future clusters are.

    Attributes
    ----------
    positions, velocities : ndarray of float64, shape (n_side^3, 3)
        [comoving Mpc], [km/s peculiar].
    overdensity : ndarray of float64, shape (n_side^3,)
        Density at each particle over the mean one, from the particles themselves.
    peak_height : ndarray of float64, shape (n_side^3,)
        Linear overdensity on the scale of clusters where each particle came from.
    peak_velocity : ndarray of float64, shape (n_side^3, 3)
        Velocity on that scale.
    """

    box_size: float
    positions: FloatArray
    velocities: FloatArray
    overdensity: FloatArray
    peak_height: FloatArray
    peak_velocity: FloatArray


def cloud_in_cell(positions: FloatArray, n_side: int, box_size: float) -> FloatArray:
    """Density over the mean at the positions themselves, both ways through a grid of n_side^3 by cloud in cell."""
    scaled = positions / box_size * n_side - 0.5
    cell = np.floor(scaled).astype(np.int64)
    right = scaled - cell
    corners = []
    for corner in np.ndindex(2, 2, 2):
        index = (cell + corner) % n_side
        share = np.where(np.array(corner) == 1, right, 1.0 - right).prod(axis=1)
        corners.append((index @ np.array([n_side**2, n_side, 1]), share))
    density = np.zeros(n_side**3)
    for flat, share in corners:
        density += np.bincount(flat, weights=share, minlength=n_side**3)
    density *= n_side**3 / max(len(positions), 1)
    return np.asarray(np.sum([density[flat] * share for flat, share in corners], axis=0))


def zeldovich_web(n_side: int, box_size: float, epoch: Epoch, rng: np.random.Generator) -> Web:
    """Draw a Gaussian field and move a lattice of n_side^3 particles by the Zel'dovich approximation.

    The power spectrum is linear (Eisenstein & Hu 1998, sigma8 0.8228), cut at small scales. Cost: a dozen FFTs.
    """
    wave = 2.0 * np.pi * np.fft.fftfreq(n_side, box_size / n_side)
    half = np.abs(2.0 * np.pi * np.fft.rfftfreq(n_side, box_size / n_side))
    kx, ky, kz = np.meshgrid(wave, wave, half, indexing="ij")
    square = kx**2 + ky**2 + kz**2
    square[0, 0, 0] = 1.0
    k = np.sqrt(square)
    power = _amplitude(epoch) * growth(epoch) ** 2 * k**SPECTRAL_INDEX * transfer_function(k, epoch) ** 2
    white = np.fft.rfftn(rng.standard_normal((n_side,) * 3))
    field = white * np.sqrt(power * (n_side / box_size) ** 3) * np.exp(-0.5 * square * _SMOOTHING**2)
    field[0, 0, 0] = 0.0

    def inverse(modes: NDArray[np.complex128]) -> FloatArray:
        return np.asarray(np.fft.irfftn(modes, (n_side,) * 3, axes=(0, 1, 2)).ravel())

    # at the frequency n_side / 2 of an even lattice a derivative has no sign; those modes carry nothing here
    shifts = [inverse(1j * component / square * field) for component in (kx, ky, kz)]
    lattice = (np.indices((n_side,) * 3).reshape(3, -1).T + 0.5) * (box_size / n_side)
    displacement = np.stack(shifts, axis=1)
    # v = a dx/dt = a H f psi, with f = Omega_m(z)^(5/9) (mock conventions of Bouchet et al. 1995)
    speed = epoch.scale_factor * 100.0 * epoch.h * epoch.expansion * epoch.matter_fraction ** (5 / 9)
    patch = field * np.exp(-0.5 * square * (_PEAK_SCALE**2 - _SMOOTHING**2))
    patch_shifts = np.stack([inverse(1j * component / square * patch) for component in (kx, ky, kz)], axis=1)
    positions = (lattice + displacement) % box_size
    return Web(
        box_size=box_size,
        positions=positions,
        velocities=speed * displacement,
        overdensity=cloud_in_cell(positions, n_side, box_size),
        peak_height=inverse(patch),
        peak_velocity=speed * patch_shifts,
    )


def highest_peaks(web: Web, n_peaks: int, separation: float) -> NDArray[np.int64]:
    """Particles at the n_peaks highest places of the linear field, apart by `separation` [Mpc] after their motion."""
    chosen: list[int] = []
    for i in np.argsort(-web.peak_height, kind="stable"):
        if chosen:
            offset = web.positions[chosen] - web.positions[i]
            offset -= web.box_size * np.round(offset / web.box_size)
            if (np.linalg.norm(offset, axis=1) < separation).any():
                continue
        chosen.append(int(i))
        if len(chosen) == n_peaks:
            break
    return np.array(chosen, np.int64)
