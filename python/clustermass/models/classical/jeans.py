"""Masses from the distribution of galaxies in projected phase space, by the Jeans equation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ... import _validate as check
from ...errors import BadInputError
from ...nfw import concentration
from ..base import Estimator, per_cluster
from ..posterior import FLAGS, MassPosterior
from . import phase_space_lattice as lattice
from .jeans_profiles import ANISOTROPIES, JeansModel, infall_density, phase_density

FloatArray = NDArray[np.float64]
INTERLOPERS = ("none", "constant", "mamon2010")
#: field galaxies per R200c^2, V200 and galaxy within R200c: the constant of Mamon, Biviano & Murante 2010, half of it
#: for each sign of the velocity
FIELD = 0.00375
#: values on the grid unless others are given
VALUES = {
    "constant": (-0.3, 0.0, 0.25, 0.5),
    "mamon-lokas": (0.07, 0.2, 0.6, 1.8),
    "osipkov-merritt": (0.4, 0.7, 1.2, 2.5),
    "tiret": (-0.3, 0.0, 0.3, 0.6),
}
CONCENTRATIONS = (2.0, 2.8, 4.0, 5.6, 8.0, 11.2)
CONCENTRATION_SCATTER = 0.15  #: dex
FEWEST = 5  #: galaxies below which the posterior is little but the prior
_ROWS = 512  # clusters at a time


class ProjectedPhaseSpace(Estimator):
    """What estimators share that compare galaxies with a grid of scale-free models; see `Jeans`."""

    inputs = ("velocities", "radii", "redshift")

    def __init__(
        self,
        *,
        concentrations: Sequence[float] = CONCENTRATIONS,
        tracer_ratios: Sequence[float] = (0.4, 0.65, 1.0),
        field: Sequence[float] = (0.0, 0.1, 0.3, 1.0, 3.0),
        min_radius: float = 0.05,
        max_radius: float = 3.0,
    ) -> None:
        self.concentrations = grid_of(concentrations, "concentrations", 0.0)
        self.tracer_ratios = grid_of(tracer_ratios, "tracer_ratios", 0.0)
        self.field = grid_of(field, "field", -1e-300)
        self.min_radius = check.number(min_radius, "min_radius", low=0)
        self.max_radius = check.number(max_radius, "max_radius", above=self.min_radius, high=6.0)

    @abstractmethod
    def tables(self, c: float) -> list[lattice.HaloTable]:
        """Models of haloes of concentration c, all with the same prior."""

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        names = ("concentrations", "tracer_ratios", "field", "min_radius", "max_radius")
        return {name: getattr(self, name) for name in names}, {}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        return cls(**config)

    def predict(self, clusters: Any) -> MassPosterior:
        n = len(clusters)
        log_density = self.log_posterior(clusters)
        flags = np.zeros(n, np.uint32)
        counts, _, _, errors = self._inside(clusters)
        flags[counts < FEWEST] |= np.uint32(FLAGS["too_few_galaxies"])
        grid, density = lattice.posterior_density(log_density)
        density[counts == 0] = np.nan
        if errors is not None:
            redshift = per_cluster(clusters.redshift, "redshift", n)
            heaviest = lattice.LOG10_MASS[log_density.argmax(axis=1)] - lattice.LOG10_MASS[0]
            v200 = lattice.scales(redshift, clusters.cosmology)[1] * 10.0 ** (heaviest / 3.0)
            total = np.concatenate([[0.0], np.cumsum(errors**2)])[np.concatenate([[0], np.cumsum(counts)])]
            flags[np.diff(total) > counts * (0.3 * v200) ** 2] |= np.uint32(FLAGS["out_of_support"])
        return MassPosterior.from_density(grid, density, self.mass_definition, flags=flags)

    def log_posterior(self, clusters: Any) -> FloatArray:
        """Logarithm of the posterior of log10 M200c at `LOG10_MASS`, (n, 121), of any norm."""
        n = len(clusters)
        counts, keep, ends, errors = self._inside(clusters)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        redshift = per_cluster(clusters.redshift, "redshift", n)
        units = lattice.scales(redshift, clusters.cosmology)
        radius = np.asarray(clusters.radius, np.float64)[keep]
        velocity = np.asarray(clusters.velocity, np.float64)[keep]
        placed = []
        for a in range(0, n, _ROWS):
            rows = slice(a, min(a + _ROWS, n))
            cut = slice(offsets[rows.start], offsets[rows.stop])
            own = offsets[rows.start : rows.stop + 1] - offsets[rows.start]
            aperture = (ends[0][rows], ends[1][rows], ends[2][rows])
            error = None if errors is None else errors[cut]
            placed.append(
                lattice.place(own, radius[cut], velocity[cut], error, aperture, (units[0][rows], units[1][rows]))
            )
        priors = concentration_prior(self.concentrations, redshift, clusters.cosmology)
        out = np.full((n, lattice.LOG10_MASS.size), -np.inf)
        for c, prior in zip(self.concentrations, priors, strict=True):
            models = lattice.prepare(self.tables(c), FIELD * np.asarray(self.field), errors is not None)
            for part, a in zip(placed, range(0, n, _ROWS), strict=True):
                rows = slice(a, min(a + _ROWS, n))
                found = lattice.log_likelihood(part, models).reshape(part.counts.size, lattice.LOG10_MASS.size, -1)
                most = found.max(axis=2)
                total = most + np.log(np.exp(found - most[:, :, None]).mean(axis=2))
                out[rows] = np.logaddexp(out[rows], total + prior[rows])
        return out

    def _inside(self, clusters: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_], Any, FloatArray | None]:
        """Galaxies used of each cluster, which they are, the ends of the aperture, and their velocity errors."""
        n = len(clusters)
        outer = np.minimum(per_cluster(clusters.max_radius, "max_radius", n), self.max_radius)
        speed = per_cluster(clusters.max_velocity, "max_velocity", n)
        inner = np.minimum(np.full(n, self.min_radius), outer)
        sizes = np.asarray(clusters.n_galaxies)
        radius = np.asarray(clusters.radius, np.float64)
        velocity = np.abs(np.asarray(clusters.velocity, np.float64))
        keep = (radius >= np.repeat(inner, sizes)) & (radius <= np.repeat(outer, sizes))
        keep &= velocity <= np.repeat(speed, sizes)
        before = np.concatenate([[0], np.cumsum(keep)])
        counts = np.diff(before[np.asarray(clusters.offsets)]).astype(np.int64)
        errors = getattr(clusters, "velocity_error", None)
        return counts, keep, (inner, outer, speed), None if errors is None else np.asarray(errors, np.float64)[keep]


class Jeans(ProjectedPhaseSpace):
    """NFW halo, NFW tracers, velocities Gaussian in three dimensions: the posterior of M200c from radii and velocities.

    The likelihood of MAMPOSSt: each galaxy has p(R, v) = [g(R, v) + B] / int (g + B) over the aperture, with
    g = int nu / (sqrt(2 pi) sigma_z) exp(-v^2 / 2 sigma_z^2) dz and
    sigma_z^2 = (1 - beta R^2 / r^2) sigma_r^2 + error^2, where sigma_r solves the Jeans equation [1]_. Priors:
    log10 M200c flat from 12.6 to 16.2; concentration log-normal about `nfw.concentration`, 0.15 dex; all others
    flat over the values given, and marginalised.

    Parameters
    ----------
    anisotropy : {"tiret", "constant", "mamon-lokas", "osipkov-merritt"}
        Form of beta(r); ``"constant"`` with the one value 0 is isotropic. See `JeansModel`.
    anisotropy_values : sequence of float, optional
        beta, or anisotropy radius in R200c; default `VALUES`.
    interlopers : {"constant", "mamon2010", "none"}
        What else is in the cylinder. ``"none"``: nothing. ``"constant"``: a background constant in R and v, beside the
        halo that goes on outside the virial sphere. ``"mamon2010"``: the template of [2]_ in place of what is outside
        the sphere, for R < R200c, and the background.
    field : sequence of float
        Backgrounds, in units of that of dark matter in [2]_.
    concentrations : sequence of float
        R200c / r_s on the grid.
    tracer_ratios : sequence of float
        Concentration of the tracers over that of the mass; one value ties them.
    min_radius, max_radius : float
        Galaxies are used in between, and within the cluster's own aperture [comoving Mpc]. Central galaxies are no
        tracers. At most 6.

    Notes
    -----
    Log-likelihoods are interpolated linearly in tables with a step of 0.023 in ln R and 0.046 in ln(v / R); masses
    are off by less than a twentieth of their error. Velocity errors above 0.3 V200 are flagged ``out_of_support``.
    On phase space drawn from its own model the posterior is calibrated; 500 tracers in a cylinder give R200c to a
    few per cent. Intervals of clusters of the mock universe are too narrow (`docs/phase-space-masses.md`). Not for
    apertures that reach far beyond R200c: nothing is in equilibrium there. Cost: for 50 galaxies and the 360 models
    of the defaults about 5 ms a cluster and core, after 3 s for tables that a process keeps.

    References
    ----------
    .. [1] Mamon, Biviano & Boue 2013, MNRAS 429, 3079. Public implementation: MG-MAMPOSSt, `MAM.f`.
    .. [2] Mamon, Biviano & Murante 2010, A&A 520, A30.

    Examples
    --------
    Galaxies at rest belong to a small halo, fast ones to a large one:

    >>> import numpy as np
    >>> from clustermass import ClusterSample, make_estimator
    >>> from clustermass.cosmology import PLANCK_2018
    >>> v = np.random.default_rng(0).normal(0, [[300], [900]], (2, 40))
    >>> sample = ClusterSample(
    ...     names=["slow", "fast"], offsets=[0, 40, 80], x=np.tile(np.linspace(0.1, 1.5, 40), 2), y=np.zeros(80),
    ...     velocity=v.ravel(), redshift=[0.1, 0.1], cosmology=PLANCK_2018, max_radius=[1.6, 1.6],
    ...     max_velocity=[3000.0, 3000.0])
    >>> jeans = make_estimator("jeans", concentrations=[4.0], tracer_ratios=[1.0], anisotropy_values=[0.0])
    >>> jeans.predict(sample).log10_mass.round(1)
    array([13.5, 15.2])
    """

    name = "jeans"
    source = "Mamon, Biviano & Boue 2013, MNRAS 429, 3079, equations 8-11"

    def __init__(
        self,
        *,
        anisotropy: str = "tiret",
        anisotropy_values: Sequence[float] | None = None,
        interlopers: str = "constant",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.anisotropy = check.choice(anisotropy, "anisotropy", ANISOTROPIES)
        values = VALUES[anisotropy] if anisotropy_values is None else anisotropy_values
        self.anisotropy_values = grid_of(values, "anisotropy_values", -np.inf)
        self.interlopers = check.choice(interlopers, "interlopers", INTERLOPERS)
        if interlopers == "none":
            self.field = [0.0]
        for value in self.anisotropy_values:
            JeansModel(4.0, 4.0, anisotropy, value)  # names a value that cannot be

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        config, arrays = super().state()
        own = {name: getattr(self, name) for name in ("anisotropy", "anisotropy_values", "interlopers")}
        return config | own, arrays

    def tables(self, c: float) -> list[lattice.HaloTable]:
        return [
            _table(JeansModel(c, c * ratio, self.anisotropy, value), self.interlopers == "mamon2010")
            for ratio in self.tracer_ratios
            for value in self.anisotropy_values
        ]


@lru_cache(maxsize=160)
def _table(model: JeansModel, with_template: bool) -> lattice.HaloTable:
    """2 MB each."""

    def density(radius: FloatArray, speed: FloatArray) -> FloatArray:
        whole = phase_density(model, radius, speed)
        if with_template:
            inside = radius < 1.0
            whole[inside] = phase_density(model, radius[inside], speed, outer=1.0)
            whole[inside] += infall_density(radius[inside], speed)
        return whole

    return lattice.tabulate(density)


def concentration_prior(values: Sequence[float], redshift: FloatArray, cosmology: Any) -> FloatArray:
    """Logarithm of the prior of each concentration, for clusters at each mass of the grid, (c, n, masses)."""
    unique, back = np.unique(redshift, return_inverse=True)
    mean = np.log10(concentration(10.0**lattice.LOG10_MASS, cosmology, unique[:, None]))
    away = (np.log10(values)[:, None, None] - mean) / CONCENTRATION_SCATTER
    weight = np.exp(-0.5 * (away**2 - (away**2).min(axis=0)))
    return np.asarray((np.log(weight) - np.log(weight.sum(axis=0)))[:, back])


def grid_of(values: Any, name: str, above: float) -> list[float]:
    """Values of a grid as a list, checked."""
    found = check.float64_array(np.atleast_1d(np.asarray(values)), name, (None,))
    if not found.size or not (np.isfinite(found) & (found > above)).all() or np.unique(found).size < found.size:
        raise BadInputError(f"`{name}` must be finite numbers above {max(above, -1e9):g}, none twice, got {values}")
    return [float(value) for value in found]
