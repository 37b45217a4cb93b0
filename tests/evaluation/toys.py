"""A catalogue with known answers, and estimators that are wrong by a planned amount."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np

from clustermass.data.clusters_file import read_clusters
from clustermass.models import registry
from clustermass.models.base import Estimator
from clustermass.models.posterior import MassPosterior
from tests.clusters import block, write_clusters
from tests.universes import COSMOLOGY

BIAS, SCATTER, PER_GALAXY = 0.12, 0.2, 0.5  # dex, dex, and dex per decade of richness
N_HOSTS = 240


def write_catalogue(path, n_hosts=N_HOSTS, seed=5):
    """Three views of hosts of 10^13.8 to 10^15.2 Msun/h, 12 to 80 galaxies, velocities of 900 (M / 1e15)^(1/3) km/s."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(12, 81, 3 * n_hosts)
    rows, sizes, galaxies = block(rng, sizes)
    mass = rng.permutation(np.linspace(13.8, 15.2, n_hosts)) - np.log10(COSMOLOGY.h)
    rows["log10_m200c"] = np.repeat(mass, 3)
    sigma = np.repeat(900 * 10 ** ((rows["log10_m200c"] - 15) / 3), sizes)
    galaxies["velocity"] = np.clip(rng.normal(0, 1, sizes.sum()) * sigma, -2190, 2190)
    write_clusters(path, [(rows, sizes, galaxies)])
    return path


def toy_clusters(tmp_path, kind="contaminated", **options):
    return read_clusters(write_catalogue(tmp_path / "toy.hdf5", **options), kind)


def normal_of(clusters):
    """A standard normal number for each observation, by host and view."""
    keys = zip(clusters.host_id.tolist(), clusters.view.tolist(), strict=True)
    return np.array([np.random.default_rng(key).normal() for key in keys]).reshape(-1)


class Planted(Estimator):
    """The truth, plus a bias, a scatter, and a term that grows with richness over that of the full observation."""

    name, inputs, source = "planted", ("velocities",), "made up"

    def __init__(self, bias=BIAS, scatter=SCATTER, full_richness=None):
        self.bias, self.scatter, self.full_richness = bias, scatter, full_richness or {}

    def predict(self, clusters):
        keys = zip(clusters.host_id.tolist(), clusters.view.tolist(), strict=True)
        full = np.array([self.full_richness.get(key, np.nan) for key in keys])
        tilt = np.nan_to_num(PER_GALAXY * np.log10(clusters.n_galaxies / full))
        mass = clusters.log10_m200c + self.bias + self.scatter * normal_of(clusters) + tilt
        return MassPosterior.from_gaussian(mass, self.scatter, "M200c")

    def state(self):
        return {"bias": self.bias, "scatter": self.scatter}, {}

    @classmethod
    def from_state(cls, config, arrays):
        return cls(**config)


class Learner(Estimator):
    """Mass from the dispersion of velocities with a learnt normalisation; will not predict a host that it has seen."""

    name, inputs, source, needs_fit = "learner", ("velocities",), "made up", True

    def __init__(self):
        self.seen, self.offset, self.n_fits = None, None, 0

    def _raw(self, clusters):
        rows = np.repeat(np.arange(len(clusters)), clusters.n_galaxies)
        n = np.maximum(clusters.n_galaxies, 1)
        mean = np.bincount(rows, clusters.velocity, len(clusters)) / n
        second = np.bincount(rows, clusters.velocity.astype(float) ** 2, len(clusters)) / n - mean**2
        return 1.5 * np.log10(second)

    def fit(self, clusters):
        assert self.seen is None, "each fold gets a fresh estimator"
        self.seen = set(clusters.host_id.tolist())
        self.offset = float(np.mean(clusters.log10_m200c - self._raw(clusters)))
        return self

    def predict(self, clusters):
        assert not self.seen & set(clusters.host_id.tolist()), "a host trains and tests"
        return MassPosterior.point(self._raw(clusters) + self.offset, "M200c")

    def state(self):
        return {}, {}

    @classmethod
    def from_state(cls, config, arrays):
        return cls()


class Failing(Planted):
    """Gives up on every cluster."""

    name = "failing"

    def predict(self, clusters):
        from clustermass.errors import BadInputError

        raise BadInputError("this never works")


def register(monkeypatch, **classes):
    """Make estimators known by name, for as long as a test runs."""
    module = ModuleType("clustermass.models.toys")
    table = {"planted": Planted, "learner": Learner, "failing": Failing} | classes
    for name, cls in table.items():
        setattr(module, cls.__name__, cls)
        monkeypatch.setitem(registry.ESTIMATORS, name, ("toys", cls.__name__, {}))
    monkeypatch.setitem(sys.modules, "clustermass.models.toys", module)
