"""Rows T2 and T3: ten networks trained as one against one after another, and posteriors from galaxies."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import cache

import numpy as np

from clustermass.cosmology import PLANCK_2018
from clustermass.data.cluster_sample import ClusterSample

from . import cases
from .arms import Arm, Row

FOLDS = 10
TRAINED, PREDICTED = 250, 4000  # clusters
BATCH = 50


class Known(ClusterSample):
    """Clusters of known mass, each its own host."""

    @property
    def host_id(self):
        return np.arange(len(self))


@cache
def sample(n):
    """Clusters of 10 to 764 galaxies, 98 on the average, with masses that their galaxies know nothing of."""
    points, offsets = cases.kde_points(3, n)
    return Known(
        names=np.arange(n).astype(str), offsets=offsets, x=points[:, 0] / 5, y=points[:, 1] / 5,
        velocity=points[:, 2], redshift=np.full(n, 0.1), cosmology=PLANCK_2018, max_radius=np.full(n, 3.0),
        max_velocity=np.full(n, 2200.0), log10_m200c=np.random.default_rng(7).uniform(13.8, 15.2, n),
    )  # fmt: skip


@contextmanager
def torch_threads(n):
    """torch's own threads are a setting of the process."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def epoch(preset="cnn-2d", *, stacked=True, grouped=False, n_threads=1):
    """One epoch of ten folds by the loop that `clustermass train` runs: (call, grids that it sees)."""
    import torch

    from clustermass.models.registry import make_estimator
    from clustermass.training import loop, members

    clusters, estimator = sample(TRAINED), make_estimator(preset, settings={"epochs": 1}, device="cpu")
    inputs = estimator._inputs(clusters, torch.device("cpu"))
    rows = np.arange(TRAINED)
    folds = [loop.Fold(rows[rows % FOLDS != k], rows[:0]) for k in range(FOLDS)]
    masses = np.tile(np.linspace(-1, 1, TRAINED, dtype=np.float32), (FOLDS, 1))
    parts = [slice(0, FOLDS)] if stacked else [slice(k, k + 1) for k in range(FOLDS)]

    def run():
        plain, members._ConvolveEach = members._ConvolveEach, nullcontext if grouped else members._ConvolveEach
        try:
            with torch_threads(n_threads):
                found = [
                    loop.train_members(estimator._network, inputs, masses[part], folds[part], estimator.settings,
                                       device=torch.device("cpu"))
                    for part in parts
                ]  # fmt: skip
        finally:
            members._ConvolveEach = plain
        return np.concatenate([np.ravel(one.history.train[-1]) for one in found])

    return run, 2 * sum(fold.train.size for fold in folds)


def learned(losses):
    """Masses from -1 to 1 have a variance of 1/3; a network that starts is not far above."""
    assert losses.shape == (FOLDS,)
    assert (losses > 0.2).all()
    assert (losses < 1.0).all()


def t2():
    run, items = epoch()
    arms = {
        "clustermass, 2 threads": epoch(n_threads=2)[0],
        "grouped convolutions": epoch(grouped=True)[0],
        "grouped convolutions, 2 threads": epoch(grouped=True, n_threads=2)[0],
    }
    ours = [Arm("clustermass", run, items, check=learned)]
    ours += [Arm(name, call, items, check=learned) for name, call in arms.items()]
    single = "one after another"
    peers = [
        Arm(single, epoch(stacked=False)[0], items, check=learned),
        Arm(f"{single}, 2 threads", epoch(stacked=False, n_threads=2)[0], items, check=learned),
    ]
    return Row("T2", f"cnn-2d, ten folds of {TRAINED} clusters, one epoch of steps of {BATCH}", "grids", ours, peers,
               bars={single: 2.0})  # fmt: skip


@cache
def fitted(preset):
    """A network that has seen little: the cost of a prediction does not depend on its weights."""
    from clustermass.models.joint_density import JointDensityPosterior
    from clustermass.models.registry import make_estimator

    estimator = make_estimator(preset, settings={"epochs": 1, "patience": None}, device="cpu").fit(sample(TRAINED))
    if estimator._gives_points:
        truth = np.random.default_rng(1).uniform(13.8, 15.2, 3000)
        estimator.joint = JointDensityPosterior().fit(truth + 0.1 * np.random.default_rng(2).normal(size=3000), truth)
    return estimator


def prediction(preset, n_threads=1):
    """Ragged galaxies in, posteriors out: grids, network, density."""
    estimator, clusters = fitted(preset), sample(PREDICTED)

    def run():
        estimator.n_threads = n_threads
        with torch_threads(n_threads):
            return estimator.predict(clusters)

    return run


def posteriors(found):
    assert len(found) == PREDICTED
    assert np.isfinite(found.log10_mass).mean() > 0.9


def t3():
    ours = [Arm("clustermass", prediction("cnn-2d"), PREDICTED, "cnn-2d with joint density", check=posteriors)]
    ours += [
        Arm(f"{preset}, {n} thread{'s' * (n > 1)}", prediction(preset, n), PREDICTED, check=posteriors)
        for preset, n in (("cnn-2d", 2), ("bayesian-cnn", 2), ("neural-flow", 2))
    ]
    return Row("T3", f"posteriors of {PREDICTED} clusters of 98 galaxies, grids included", "clusters", ours, [])
