"""Mean motion around clusters: the spherical model, exactly, and the matter that drives it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..profiles import Epoch
from .nfw import FloatArray, nfw_mass

_START = 1e-3  # scale factor at which shells begin on the growing mode
_STEPS = 3000
_LOG_R = np.linspace(np.log(0.02), np.log(12.0), 400)  # r / r200c


@dataclass(frozen=True)
class SphericalFlow:
    """Peculiar velocity of spherical shells that have not crossed, over H r, against their overdensity.

    Attributes
    ----------
    log_density : (n,) float64, rising
        ln(1 + Delta), Delta the mean overdensity inside the shell over the mean matter density.
    velocity : (n,) float64
        v / (H r) at the epoch; negative is infall.
    """

    log_density: FloatArray
    velocity: FloatArray

    def __call__(self, overdensity: FloatArray) -> FloatArray:
        """v / (H r); held constant beyond the last shell, at an overdensity near 400."""
        return np.asarray(np.interp(np.log1p(overdensity), self.log_density, self.velocity))


def solve_spherical_flow(epoch: Epoch) -> SphericalFlow:
    """Integrate shells from the growing mode to the epoch: R'' = -Omega_m / (2 R^2) + Omega_Lambda R, H0 = 1.

    The exact form of what Yahil 1985 (in The Virgo Cluster, ed. Richter & Binggeli, ESO, 359) approximates by
    v = -(1/3) H r f Delta (1 + Delta)^(-1/4); flat universe of matter and Lambda.
    """
    omega_m, omega_l = epoch.omega_m, 1.0 - epoch.omega_m
    # linear overdensity today of a shell in a universe of matter: those above 1.7 have collapsed by then
    delta = np.concatenate([np.linspace(-1.2, 1.6, 141), np.linspace(1.6, 2.4, 241)[1:]]) * _START
    end = epoch.scale_factor
    hubble = np.sqrt(omega_m / _START**3 + omega_l)
    radius = _START * (1.0 - delta / 3.0)
    speed = hubble * _START * (1.0 - 2.0 * delta / 3.0)

    def rates(log_a: float, r: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        rate = np.sqrt(omega_m * np.exp(-3.0 * log_a) + omega_l)
        return v / rate, (-0.5 * omega_m / r**2 + omega_l * r) / rate

    step = np.log(end / _START) / _STEPS
    with np.errstate(all="ignore"):  # shells that collapse go astray and are dropped below
        for k in range(_STEPS):
            x = np.log(_START) + k * step
            r1, v1 = rates(x, radius, speed)
            r2, v2 = rates(x + 0.5 * step, radius + 0.5 * step * r1, speed + 0.5 * step * v1)
            r3, v3 = rates(x + 0.5 * step, radius + 0.5 * step * r2, speed + 0.5 * step * v2)
            r4, v4 = rates(x + step, radius + step * r3, speed + step * v3)
            radius = radius + step / 6.0 * (r1 + 2 * r2 + 2 * r3 + r4)
            speed = speed + step / 6.0 * (v1 + 2 * v2 + 2 * v3 + v4)
        density = 3.0 * np.log(end / radius)
        flow = speed / (radius * epoch.expansion) - 1.0
        falling = (radius > 0) & (density < np.log(400.0)) & np.isfinite(flow)
    n = int(np.argmin(falling)) if not falling.all() else falling.size  # shells in order, up to the first that is lost
    return SphericalFlow(density[:n], flow[:n])


def outer_overdensity(x: FloatArray) -> FloatArray:
    """Overdensity of matter around haloes beyond their own, at x = r / R200m: (x / 5)^-1.5 (b_e 1, s_e 1.5).

    Diemer & Kravtsov 2014 (ApJ 789, 1), over the mean density, with the cap of Diemer 2018 (ApJS 239, 35) at 1000.
    """
    return np.asarray(1.0 / (1e-3 + (x / 5.0) ** 1.5))


def truncation_radius(peak_height: FloatArray | float) -> FloatArray:
    """Where the profile steepens, over R200m: 1.9 - 0.18 nu (Diemer & Kravtsov 2014), nu of M200m."""
    return np.asarray(1.9 - 0.18 * np.asarray(peak_height))


def mean_overdensity(concentration: float, r200m: float, truncation: float, epoch: Epoch) -> FloatArray:
    """Mean overdensity of matter within the radii of `FLOW_RADII` of a halo, over the mean density minus one.

    NFW with the factor (1 + (r / r_t)^4)^-2, mean density 200 rho_c within r200c, and `outer_overdensity` around it.
    r200m and truncation over r200c.
    """
    s = FLOW_RADII
    density = 1.0 / (concentration * s * (1.0 + concentration * s) ** 2) * (1.0 + (s / truncation) ** 4) ** -2
    pull = density * s**3
    core = float(nfw_mass(concentration * float(s[0]))) / concentration**3
    inside = core + np.concatenate([[0.0], np.cumsum(0.5 * np.diff(_LOG_R) * (pull[1:] + pull[:-1]))])
    halo = 200.0 / epoch.matter_fraction * inside / np.interp(1.0, s, inside) / s**3
    around = 2.0 * outer_overdensity(s / r200m)  # mean inside r of r^-1.5: twice the local value
    return np.asarray(halo + around)


def radial_velocity(
    flow: SphericalFlow,
    s: FloatArray,
    concentration: FloatArray,
    r200m: FloatArray,
    peak_height: FloatArray,
    epoch: Epoch,
) -> FloatArray:
    """Mean radial velocity over H r200c at s = r / r200c from haloes, negative inwards; all of the same length.

    The spherical model at the mean overdensity inside (`mean_overdensity`), fading from twice to once r200c, where what
    is inside has fallen through and orbits. r200m over r200c. By bins of 0.02 in log10 of the concentration.
    """
    radial = np.empty(s.size)
    key = np.round(np.log10(concentration) / 0.02).astype(np.int64)
    for k in np.unique(key):
        at = key == k
        edge = float(r200m[at].mean())
        reach = float(truncation_radius(peak_height[at]).mean()) * edge
        overdensity = mean_overdensity(10.0 ** (0.02 * float(k)), edge, reach, epoch)
        radial[at] = flow(np.interp(np.log(s[at]), _LOG_R, overdensity)) * s[at]
    return radial * np.clip(s - 1.0, 0.0, 1.0)


FLOW_RADII = np.exp(_LOG_R)  #: r / r200c of `mean_overdensity`
