"""Distribution functions f(E, L) of NFW tracers in an NFW mass, in virial units, and what they look like in projection.

Units as in `jeans_profiles`. Energies are relative: E = Psi(r) - v^2 / 2 > 0 is bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ... import _validate as check
from ...errors import DomainError
from ...nfw import enclosed
from .jeans_profiles import OUTER, JeansModel

FloatArray = NDArray[np.float64]
_KNOTS = np.linspace(np.log(1e-4), np.log(300.0), 34)  # of ln f_E, in the logarithm of the radius where Psi = E
_RADII = np.exp(np.linspace(np.log(1e-4), np.log(100.0), 120))  # where the density is asked for
_LEGENDRE = np.polynomial.legendre.leggauss(16)
_TURNS = 40


@dataclass(frozen=True)
class SeparableModel:
    """f(E, L) = f_E(E) [1 + L^2 / (2 L0^2)]^(beta0 - beta_inf) L^(-2 beta0) (Wojtak et al. 2008, MNRAS 388, 815).

    beta goes from `beta0` where L << L0 to `beta_inf` where L >> L0. f_E is what gives the tracers their density in
    this potential.

    Parameters
    ----------
    concentration, tracer_concentration : float
        R200c over the scale radii of mass and tracers.
    beta0, beta_inf : float
        At least -1, `beta0` at most 0.5 (an NFW cusp bears no more), `beta_inf` below 1.
    l0 : float
        In units of L_s = r_s V_circ(r_s).
    """

    concentration: float
    tracer_concentration: float
    beta0: float = 0.0
    beta_inf: float = 0.0
    l0: float = 0.2

    def __post_init__(self) -> None:
        check.number(self.concentration, "concentration", above=0)
        check.number(self.tracer_concentration, "tracer_concentration", above=0)
        check.number(self.beta0, "beta0", low=-1, high=0.5)
        if not check.number(self.beta_inf, "beta_inf", low=-1) < 1:
            raise DomainError(f"`beta_inf` must be below 1, got {self.beta_inf}")
        check.number(self.l0, "l0", above=0)

    @property
    def angular_momentum(self) -> float:
        """L0 [R200c V200]."""
        c = self.concentration
        return float(self.l0 * np.sqrt(enclosed(1.0) / enclosed(c) / c))

    def tracers(self, r: FloatArray) -> FloatArray:
        """Number density of tracers, one within R200c."""
        return JeansModel(self.concentration, self.tracer_concentration).tracers(r)

    def potential(self, r: FloatArray) -> FloatArray:
        """Psi [V200^2], zero at infinity."""
        c = self.concentration
        return np.asarray(np.log1p(c * r) / (r * enclosed(c)))

    def _turning(self, energy: FloatArray) -> FloatArray:
        """Logarithm of the radius where Psi is this; from a table fine enough for 1e-5."""
        at = np.linspace(np.log(1e-7), np.log(1e7), 6000)
        return np.asarray(np.interp(-np.log(energy), -np.log(self.potential(np.exp(at))), at))

    def _momentum_part(self, l2: FloatArray) -> FloatArray:
        out = (1.0 + l2 / (2.0 * self.angular_momentum**2)) ** (self.beta0 - self.beta_inf)
        return np.asarray(out if self.beta0 == 0 else out * np.maximum(l2, 1e-30) ** (-self.beta0))

    def _velocity_integral(self, r2: FloatArray, w: FloatArray) -> FloatArray:
        """int f_L(r v_t) v_t dv_t / sqrt(w - v_t^2) for v_t from 0 to sqrt(w)."""
        from scipy.special import beta, hyp2f1

        a = r2 * w / (2.0 * self.angular_momentum**2)
        shape = hyp2f1(self.beta_inf - self.beta0, 1.0 - self.beta0, 1.5 - self.beta0, -a)
        return np.asarray(np.sqrt(w) * (r2 * w) ** (-self.beta0) * 0.5 * beta(1.0 - self.beta0, 0.5) * shape)

    def _energies(self, r: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Nodes ln s, E = Psi(s), for an integral over the energies at radii (n,), and |dPsi/ds| ds of each: (n, k)."""
        edges = np.sqrt([0.0, 0.3, 1.5, 4.0, 9.0, 18.0])  # of y = sqrt(ln(s / r)): the integrand is smooth in y
        half = 0.5 * np.diff(edges)[:, None]
        y = (edges[:-1, None] + half * (1.0 + _LEGENDRE[0])).ravel()
        weight = (half * _LEGENDRE[1]).ravel() * 2.0 * y
        s = r[:, None] * np.exp(y**2)
        c = self.concentration
        return np.log(s), enclosed(c * s) / enclosed(c) / s * weight

    def _matrix(self, r: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Density at radii (n,) = sum over k of these (n, k) times f_E at the energies Psi(exp(ln s)), (n, k)."""
        logs, step = self._energies(r)
        w = 2.0 * (self.potential(r)[:, None] - self.potential(np.exp(logs)))
        return logs, 4.0 * np.pi * step * self._velocity_integral(r[:, None] ** 2, np.maximum(w, 1e-300))

    @cached_property
    def _log_f(self) -> FloatArray:
        """ln f_E at the knots, by Newton's method: the cubic spline that gives the density at `_RADII`."""
        logs, matrix = self._matrix(_RADII)
        basis = _spline_basis(logs)
        wanted = np.log(self.tracers(_RADII))
        guess = -2.0 * _KNOTS  # any power law
        for _ in range(_TURNS):
            value = matrix * np.exp(basis @ guess)
            found = value.sum(axis=1)
            slope = np.einsum("nk,nkm->nm", value / found[:, None], basis)
            step = np.linalg.lstsq(slope, wanted - np.log(found), rcond=None)[0]
            guess = guess + step * min(1.0, 3.0 / np.abs(step).max())
            if np.abs(step).max() < 1e-8:
                return np.asarray(guess)
        raise DomainError(f"{self} has no positive f_E that gives this density")

    def density(self, r: FloatArray) -> FloatArray:
        """Tracers at radii (n,) from f(E, L): `tracers` again, if the inversion is right."""
        logs, matrix = self._matrix(r)
        return np.asarray((matrix * np.exp(_spline_basis(logs) @ self._log_f)).sum(axis=1))

    def energy_part(self, energy: FloatArray) -> FloatArray:
        """f_E at energies above zero."""
        return np.asarray(np.exp(_spline_basis(self._turning(energy)) @ self._log_f))

    def anisotropy(self, r: FloatArray) -> FloatArray:
        """Local beta at radii (n,): 1 - <v_t^2> / (2 <v_r^2>)."""
        psi = self.potential(r)[:, None, None]
        nodes, weights = np.polynomial.legendre.leggauss(48)
        v = 0.5 * np.sqrt(2.0 * psi) * (1.0 + nodes[:, None])
        angle = 0.25 * np.pi * (1.0 + nodes)
        f = self.energy_part(np.maximum(psi - 0.5 * v**2, 1e-12))
        f = f * self._momentum_part((r[:, None, None] * v * np.sin(angle)) ** 2) * v**4 * np.sin(angle) * weights
        radial = np.einsum("nvt,v->n", f * np.cos(angle) ** 2, weights)
        tangential = np.einsum("nvt,v->n", f * np.sin(angle) ** 2, weights)
        return np.asarray(1.0 - 0.5 * tangential / radial)


def _spline_basis(at: FloatArray) -> FloatArray:
    """Natural cubic splines through the knots, straight beyond them: values at points, one row of weights each."""
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(_KNOTS, np.eye(_KNOTS.size), bc_type="natural")
    inside = np.clip(at, _KNOTS[0], _KNOTS[-1])
    out = spline(inside)
    beyond = at - inside
    if beyond.any():
        ends = spline(_KNOTS[[0, -1]], 1)
        out += np.minimum(beyond, 0)[..., None] * ends[0] + np.maximum(beyond, 0)[..., None] * ends[1]
    return np.asarray(out)


def projected_density(
    model: SeparableModel, radius: FloatArray, shares: FloatArray, outer: float = OUTER
) -> FloatArray:
    """Tracers per area and velocity at projected radii (n,) and shares (m,) of the escape velocity there, (n, m).

    p(R, v) = 2 int dz int int f(E, L) dv_1 dv_2 over bound velocities, with v_1, v_2 = u cos phi, u sin phi across the
    line of sight: E depends on u alone.
    """
    nodes, weights = np.polynomial.legendre.leggauss(20)
    inner, inner_weights = np.polynomial.legendre.leggauss(24)
    phi = np.pi * (np.arange(20) + 0.5) / 20
    out = np.zeros((radius.size, shares.size))
    for i, at in enumerate(radius):
        reach = np.arccosh(max(outer / at, 1.0))
        stretch = np.cosh(0.5 * reach * (1.0 + nodes))
        r = at * stretch
        length = reach * weights * at * stretch  # both sides
        v = shares * np.sqrt(2.0 * model.potential(np.array(at)))
        room = 2.0 * model.potential(r)[:, None] - v**2
        widest = np.sqrt(np.maximum(room, 1e-12))
        u = 0.5 * widest[..., None] * (1.0 + inner)
        energy = np.maximum(0.5 * room[..., None] - 0.5 * u**2, 1e-9)
        sine = (1.0 / stretch)[:, None, None, None]
        across = -v[:, None, None] * sine + u[..., None] * np.cos(phi) * np.sqrt(1.0 - sine**2)
        l2 = (r**2)[:, None, None, None] * (across**2 + (u[..., None] * np.sin(phi)) ** 2)
        spread = model._momentum_part(l2).mean(axis=-1) * 2.0 * np.pi
        inside = model.energy_part(energy) * spread * u * 0.5 * widest[..., None] * inner_weights
        out[i] = np.einsum("zvu,z->v", np.where(room[..., None] > 0, inside, 0.0), length)
    return out
