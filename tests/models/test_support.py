"""Support distribution machines: kernels, tuning, what they learn, flags, tables, files."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from clustermass.cosmology import PLANCK_2018
from clustermass.data.cluster_sample import ClusterSample
from clustermass.errors import BadInputError, DomainError, MissingDependencyError, MissingFieldError, NotFittedError
from clustermass.models.posterior import FLAGS
from clustermass.models.registry import make_estimator
from clustermass.models.store import load_estimator, save_estimator
from clustermass.models.support import table as tables
from clustermass.models.support import tuning
from clustermass.models.support.kernels import fold_projection, gaussian_kernel, project
from clustermass.models.support.samples import galaxy_samples
from tests.tolerances import PROJECTION

pytest.importorskip("sklearn")
pytest.importorskip("safetensors")

NAMES = ["sdm-1d", "sdm-2d"]


def clusters(n, seed, size=40, masses=(14.0, 15.0), **changes):
    """Normal velocities of sigma 800 km/s (M / 10^14.5)^(1/3), radii that grow alike; 40 galaxies each."""
    rng = np.random.default_rng(seed)
    mass = rng.uniform(*masses, n)
    width = np.repeat(10 ** ((mass - 14.5) / 3), size)
    values = {
        "names": [f"{seed}-{i}" for i in range(n)], "offsets": np.arange(0, n * size + 1, size),
        "x": rng.gamma(2.0, 0.4, n * size) * width, "y": np.zeros(n * size),
        "velocity": rng.normal(0, 800, n * size) * width, "redshift": np.full(n, 0.1), "cosmology": PLANCK_2018,
        "max_radius": np.full(n, 9.0), "max_velocity": np.full(n, 5000.0), "log10_m200c": mass,
    }  # fmt: skip
    return ClusterSample(**(values | changes))


@pytest.fixture
def small_grids(monkeypatch):
    """Fewer parameters to try."""
    monkeypatch.setattr(tuning, "SIGMAS", (0.25, 1.0, 4.0))
    monkeypatch.setattr(tuning, "COSTS", (0.125, 1.0, 8.0))
    monkeypatch.setattr(tuning, "NUS", (0.5,))


def test_the_grids_are_those_published():
    assert tuning.SIGMAS == (2**-4, 2**-2, 1, 2**2, 2**4, 2**6, 2**8, 2**10)
    assert tuning.COSTS == (2**-9, 2**-6, 2**-3, 1, 8, 64, 512, 4096, 2**15, 2**18)
    assert tuning.NUS == (0.2, 0.3, 0.5, 0.7)
    assert (tuning.FOLDS, tuning.TOLERANCE, tuning.TUNING_ITERATIONS, tuning.FINAL_ITERATIONS) == (3, 1e-3, 1000, 10**6)


def test_kernels_are_symmetric_and_projected(rng):
    d = rng.gamma(1.0, 1.0, (30, 30))
    np.fill_diagonal(d, 0)
    kernel = gaussian_kernel(d, d, 1.3)
    np.testing.assert_allclose(kernel, (np.exp(-(d**2) / 3.38) + np.exp(-(d.T**2) / 3.38)) / 2)
    assert np.linalg.eigvalsh(kernel)[0] < -0.1
    projected = project(kernel)
    values, vectors = np.linalg.eigh(kernel)
    np.testing.assert_allclose(projected, vectors @ np.diag(np.maximum(values, 0)) @ vectors.T, atol=PROJECTION)
    np.testing.assert_allclose(project(projected), projected, atol=PROJECTION)
    weights = rng.normal(0, 1, 30)  # rows of the kernel as they are, with folded weights: rows that were projected
    np.testing.assert_allclose(kernel @ fold_projection(kernel, weights), projected @ weights, atol=PROJECTION)


@pytest.mark.parametrize("transductive", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_it_learns_the_mass(name, transductive):
    """The dispersion of 40 velocities is known to 11 %, three times that in mass: 0.145 dex; radii help."""
    train, test = clusters(200, 1), clusters(150, 2)
    machine = make_estimator(name, transductive=transductive, n_threads=2).fit(train)
    found = machine.predict(test)
    error = found.log10_mass - test.log10_m200c
    assert error.std() < (0.17 if name == "sdm-1d" else 0.13)
    assert abs(error.mean()) < 0.04
    inside = (found.lower < test.log10_m200c) & (test.log10_m200c < found.upper)
    assert 0.5 < inside.mean() < 0.86
    assert found.mass_definition == "M200c"
    assert found.flagged("out_of_support").mean() < 0.05


@pytest.mark.usefixtures("small_grids")
def test_the_published_and_the_inductive_way_agree_roughly():
    train, test = clusters(90, 3), clusters(40, 4)
    way = [make_estimator("sdm-1d", transductive=t).fit(train).predict(test).log10_mass for t in (True, False)]
    assert np.abs(way[0] - way[1]).max() < 0.1
    assert (way[0] != way[1]).any()


@pytest.mark.usefixtures("small_grids")
def test_inductive_predictions_do_not_depend_on_each_other(monkeypatch):
    machine = make_estimator("sdm-2d", transductive=False).fit(clusters(60, 5))
    test = clusters(12, 6)
    whole = machine.predict(test).log10_mass
    monkeypatch.setattr("clustermass.models.support.machine._CHUNK", 5)
    np.testing.assert_allclose(machine.predict(test).log10_mass, whole, rtol=0, atol=PROJECTION)
    np.testing.assert_allclose(machine.predict(test.only([7, 3])).log10_mass, whole[[7, 3]], rtol=0, atol=PROJECTION)


@pytest.mark.usefixtures("small_grids")
def test_a_table_gives_the_same_divergences(monkeypatch):
    train, test = clusters(60, 7), clusters(30, 8)
    both = clusters(1, 9).__class__(**_joined(train, test))
    machine = make_estimator("sdm-2d").precompute(both)
    monkeypatch.setattr(tables, "knn_divergences", lambda *_, **__: pytest.fail("divergences were worked out again"))
    with_table = machine.fit(train).predict(test)
    monkeypatch.undo()
    alone = make_estimator("sdm-2d").fit(train).predict(test)
    error = with_table.log10_mass - alone.log10_mass
    assert np.abs(error).max() < 0.15  # features are standardised over more galaxies, and tuning sees another kernel
    assert error.std() < 0.08
    new = clusters(20, 10)  # not in the table
    assert np.std(machine.predict(new).log10_mass - new.log10_m200c) < 0.2
    with pytest.raises(DomainError, match="cannot be saved"):
        machine.state()


def _joined(a, b):
    rows = ("names", "redshift", "max_radius", "max_velocity", "log10_m200c")
    flat = ("x", "y", "velocity")
    parts = {name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in (*rows, *flat)}
    return parts | {"offsets": np.concatenate([a.offsets, a.offsets[-1] + b.offsets[1:]]), "cosmology": a.cosmology}


def test_no_host_is_on_both_sides_of_tuning(rng):
    hosts = rng.integers(0, 17, 100)
    folds = tuning._folds(hosts, 3)
    assert set(folds) == {0, 1, 2}
    assert all(np.unique(folds[hosts == host]).size == 1 for host in set(hosts))
    sizes = np.bincount([folds[hosts == host][0] for host in set(hosts)])
    assert sizes.max() - sizes.min() <= 1
    assert (folds != tuning._folds(hosts, 4)).any()


@pytest.mark.usefixtures("small_grids")
def test_results_do_not_depend_on_threads():
    train, test = clusters(60, 11), clusters(20, 12)
    one, two = (make_estimator("sdm-2d", n_threads=n).fit(train).predict(test) for n in (1, 2))
    np.testing.assert_array_equal(one.log10_mass, two.log10_mass)
    np.testing.assert_array_equal(one.lower, two.lower)


@pytest.mark.usefixtures("small_grids")
def test_large_training_sets_are_thinned():
    train = clusters(80, 13)
    used = [make_estimator("sdm-1d", max_training=40, seed=s).fit(train).state()[1]["log10_m200c"] for s in (3, 3, 4)]
    assert [masses.size for masses in used] == [40, 40, 40]
    assert np.isin(used[0], train.log10_m200c).all()
    np.testing.assert_array_equal(used[0], used[1])
    assert (used[0] != used[2]).any()
    assert make_estimator("sdm-1d", max_training=None).fit(train).state()[1]["log10_m200c"].size == 80


@pytest.mark.usefixtures("small_grids")
@pytest.mark.parametrize("transductive", [True, False])
def test_a_file_gives_the_same_predictions(tmp_path, transductive):
    train, test = clusters(60, 14), clusters(20, 15)
    machine = make_estimator("sdm-2d", transductive=transductive, k=3, seed=5).fit(train)
    want = machine.predict(test)
    save_estimator(tmp_path / "sdm.safetensors", machine)
    back = load_estimator(tmp_path / "sdm.safetensors").predict(test)
    for name in ("log10_mass", "lower", "upper", "flags"):
        np.testing.assert_array_equal(getattr(back, name), getattr(want, name))


@pytest.mark.usefixtures("small_grids")
def test_flags():
    machine = make_estimator("sdm-1d").fit(clusters(60, 16))
    few = clusters(3, 17, size=4)
    found = machine.predict(few)
    assert np.isnan(found.log10_mass).all()
    assert found.flagged("too_few_galaxies").all()
    fast = clusters(5, 18, masses=(16.5, 16.6))
    assert machine.predict(fast).flagged("out_of_support").all()
    assert not machine.predict(clusters(20, 19)).flagged("not_converged").any()
    mixed = ClusterSample(**_joined(few, fast))
    assert (machine.predict(mixed).flags & FLAGS["too_few_galaxies"] > 0).tolist() == [True] * 3 + [False] * 5
    assert len(machine.predict(few.only([]))) == 0


@pytest.mark.usefixtures("small_grids")
def test_an_end_before_convergence_is_flagged(monkeypatch):
    monkeypatch.setattr(tuning, "FINAL_ITERATIONS", 3)
    found = make_estimator("sdm-1d").fit(clusters(40, 20)).predict(clusters(5, 21))
    assert found.flagged("not_converged").all()


def test_bad_input_is_refused(monkeypatch):
    good = clusters(10, 22)
    with pytest.raises(NotFittedError, match="sdm-1d must be fitted"):
        make_estimator("sdm-1d").predict(good)
    with pytest.raises(MissingFieldError, match="log10_m200c"):
        make_estimator("sdm-1d").fit(clusters(10, 22, log10_m200c=None))
    with pytest.raises(BadInputError, match="more than 4 galaxies, got 4 in row 0 and 10 such rows"):
        make_estimator("sdm-1d").fit(clusters(10, 22, size=4))
    with pytest.raises(BadInputError, match="at least 3 hosts, got 2"):
        make_estimator("sdm-1d").fit(clusters(2, 22))
    with pytest.raises(BadInputError, match="must differ in speed"):
        make_estimator("sdm-1d").fit(clusters(10, 22, velocity=np.full(400, 7.0)))
    with pytest.raises(DomainError, match="`max_training`"):
        make_estimator("sdm-1d", max_training=2)
    monkeypatch.setattr(tables, "MAX_CLUSTERS", 9)
    with pytest.raises(DomainError, match="at most 9 clusters at a time, got 10"):
        make_estimator("sdm-1d").fit(good)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingDependencyError, match=r"clustermass\[baselines\]"):
        make_estimator("sdm-1d").fit(good)


def test_features():
    sample = clusters(2, 23)
    one, two = galaxy_samples(sample, 1), galaxy_samples(sample, 2)
    np.testing.assert_array_equal(one.points[:, 0], np.abs(sample.velocity))
    np.testing.assert_array_equal(two.points[:, 1], sample.radius)
    assert (make_estimator("sdm-1d").inputs, make_estimator("sdm-2d").inputs) == (
        ("velocities",), ("velocities", "radii")
    )  # fmt: skip
