"""The linear density field of a box, and where second-order Lagrangian perturbation theory moves matter to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import linear
from .mesh import Field, Mesh, Modes
from .settings import UniverseSettings

FloatArray = NDArray[np.float64]
#: cut of the displacements in units of the wave number at which the field becomes nonlinear. Smaller modes, whose
#: shells have crossed, only blur what is moved (Coles, Melott & Shandarin 1993, MNRAS 260, 765: 1 to 1.5; for second
#: order Melott, Buchert & Weiss 1995, A&A 294, 345: 1.2)
TRUNCATION = 1.2


def second_order_source(mesh: Mesh, modes: Modes) -> Field:
    """Sum over i < j of phi_ii phi_jj - phi_ij^2 with lap phi = delta (Bouchet et al. 1995, A&A 296, 575).

    Cost: six transforms, five fields of n^3 float32.
    """
    inverse = _inverse_square(mesh)  # phi = -delta / k^2, and each pair of derivatives gives another minus
    second = [mesh.to_space(mesh.derivative(modes, -inverse, (i, i))) for i in range(3)]
    source: Field = second[0] * (second[1] + second[2])
    second[1] *= second[2]
    source += second[1]
    del second
    for pair in ((0, 1), (0, 2), (1, 2)):
        mixed = mesh.to_space(mesh.derivative(modes, -inverse, pair))
        mixed *= mixed
        source -= mixed
    return source


def _inverse_square(mesh: Mesh) -> FloatArray:
    """1 / |k|^2 in units of the lowest, 0 at the mean."""
    square = np.arange(mesh.wave_numbers().size, dtype=float)
    return np.asarray(np.divide(1.0, square, out=np.zeros_like(square), where=square > 0))


def gaussian(mesh: Mesh, radius: float) -> FloatArray:
    """Table of a Gaussian filter of a radius [comoving Mpc]."""
    return np.asarray(np.exp(-0.5 * (mesh.wave_numbers() * radius) ** 2))


def top_hat(mesh: Mesh, radius: float) -> FloatArray:
    """Table of the mean over a sphere of a radius [comoving Mpc]."""
    x = np.maximum(mesh.wave_numbers() * radius, 1e-3)
    return np.asarray(3.0 * (np.sin(x) - x * np.cos(x)) / x**3)


def nonlinear_wave_number(settings: UniverseSettings) -> float:
    """k [1/Mpc] up to which the linear variance of the density is 1 at the redshift."""
    k = np.geomspace(1e-4, 30.0, 2000)
    steps = linear.linear_power(settings, k) * k**3 / (2.0 * np.pi**2)
    variance = np.concatenate([[0.0], np.cumsum(0.5 * (steps[1:] + steps[:-1]) * np.diff(np.log(k)))])
    return float(np.interp(1.0, variance, k))


@dataclass(frozen=True)
class LinearField:
    """The linear overdensity of a box at one redshift, and its displacements.

    Attributes
    ----------
    mesh : Mesh
    density : (n, n, n // 2 + 1) complex64
        Modes of the linear overdensity, extrapolated to the redshift.
    smooth : (n, n, n // 2 + 1) complex64
        The same, cut at nonlinear scales: the first-order part of displacements is i k / k^2 times these.
    second : (n, n, n // 2 + 1) complex64
        The second-order part in the same sense.
    cut : float, comoving Mpc
        Gaussian radius of that cut.
    speeds : (float, float)
        a H f of first and second order [km/s per comoving Mpc of displacement].
    """

    mesh: Mesh
    density: Modes
    smooth: Modes
    second: Modes
    cut: float
    speeds: tuple[float, float]

    def displacements(self, radius: float) -> Iterator[tuple[int, Field]]:
        """(axis, displacement [comoving Mpc]) of matter averaged over a Gaussian of at least this radius."""
        return self._vectors(radius, (1.0, 1.0))

    def velocities(self, radius: float) -> Iterator[tuple[int, Field]]:
        """(axis, peculiar velocity [km/s]) of the same, at Lagrangian places."""
        return self._vectors(radius, self.speeds)

    def _vectors(self, radius: float, factors: tuple[float, float]) -> Iterator[tuple[int, Field]]:
        """One component after the other; two transforms' worth of memory."""
        extra = max(radius**2 - self.cut**2, 0.0) ** 0.5
        # i k / k^2 with k in units of the lowest
        table = gaussian(self.mesh, extra) * _inverse_square(self.mesh) / self.mesh.lowest
        modes = np.float32(factors[0]) * self.smooth
        modes += np.float32(factors[1]) * self.second
        for axis in range(3):
            yield axis, self.mesh.to_space(self.mesh.derivative(modes, table, (axis,)))


def growth_rates(settings: UniverseSettings) -> tuple[float, float, float]:
    """(D2 / D1^2, f1, f2) of a flat universe: -(3/7) Om^(-1/143), Om^(5/9), 2 Om^(6/11), with Om at the redshift.

    Bouchet et al. 1995; within 0.4 % of the differential equations for a flat universe.
    """
    matter = settings.epoch.matter_fraction
    return -3.0 / 7.0 * matter ** (-1.0 / 143.0), matter ** (5.0 / 9.0), 2.0 * matter ** (6.0 / 11.0)


def make_field(settings: UniverseSettings) -> LinearField:
    """Draw the linear field of a box.

    Gaussian modes with the power of Eisenstein & Hu (1998); displacements are of second order, x = q - D1 grad phi1 +
    D2 grad phi2 with lap phi1 = delta and lap phi2 = `second_order_source` (Bouchet et al. 1995), D2 negative. Modes of
    a seed are the same on every mesh.

    Cost: eight transforms; at most 32 bytes a node of the mesh at a time, 12 kept.
    """
    mesh = Mesh(settings.n_mesh, settings.box_size)
    k = mesh.wave_numbers()
    power = np.zeros_like(k)
    power[1:] = linear.linear_power(settings, k[1:])
    density = mesh.filtered(mesh.white_modes(settings.seed), mesh.n**3 * np.sqrt(power / mesh.box_size**3))
    return displaced_field(settings, mesh, density)


def displaced_field(settings: UniverseSettings, mesh: Mesh, density: Modes) -> LinearField:
    """The displacements that belong to modes of a linear overdensity."""
    epoch = settings.epoch
    second_growth, f1, f2 = growth_rates(settings)
    cut = 1.0 / (TRUNCATION * nonlinear_wave_number(settings))
    smooth = mesh.filtered(density, gaussian(mesh, cut))
    second = mesh.to_modes(second_order_source(mesh, smooth))
    second *= np.float32(-second_growth)  # x = q + grad grad^-2 of -(delta - D2 source)
    second[0, 0, 0] = 0.0
    half = mesh.n // 2
    second[half], second[:, half], second[:, :, half] = 0.0, 0.0, 0.0
    hubble = 100.0 * epoch.h * epoch.expansion * epoch.scale_factor
    return LinearField(mesh, density, smooth, second, cut, (hubble * f1, hubble * f2))
