"""Virial and projected masses: isotropic Plummer spheres, NFW haloes, jackknife errors, flags, files."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.constants import NEWTON
from clustermass.errors import DomainError
from clustermass.models.classical.dynamical import PROJECTION_SCATTER, jackknife
from clustermass.models.classical.projected_mass import (
    ORBIT_FACTORS,
    ProjectedMass,
    average_masses,
    median_masses,
    projected_masses,
)
from clustermass.models.classical.virial import VirialMass, virial_masses
from clustermass.models.registry import make_estimator
from tests.models.classical.samples import MDPL2, sample
from tests.models.classical.spheres import nfw, plummer

RULES = {"virial": virial_masses, "projected": projected_masses, "average": average_masses, "median": median_masses}
NAMES = ["virial", "projected-mass", "projected-mass-average", "projected-mass-median"]
# mean of M / M_true of isotropic Plummer spheres of 20, 100, 400 galaxies, from an independent Monte Carlo
BIAS = {"virial": (1.04, 1.01, 1.00), "projected": (1.16, 1.05, 1.02), "average": (1.08, 1.09, 1.09),
        "median": (1.01, 0.94, 0.93)}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("n", "at", "n_clusters"), [(20, 0, 6000), (100, 1, 400), (400, 2, 40)])
def test_bias_for_plummer_spheres(rule, n, at, n_clusters):
    mass, _ = RULES[rule](*plummer(np.random.default_rng(n), n_clusters, n))
    ratio = mass / 1e15
    error = ratio.std() / np.sqrt(n_clusters)
    assert error < 0.02
    assert abs(ratio.mean() - BIAS[rule][at]) < 3 * error + 0.012  # two digits, and noise, of the table


@pytest.mark.parametrize("rule", RULES)
def test_jackknife_errors_are_the_scatter(rule):
    mass, error = RULES[rule](*plummer(np.random.default_rng(1), 1000, 50))
    assert abs(np.sqrt((error**2).mean()) / np.log(mass).std() - 1) < 0.15


@pytest.mark.parametrize("rule", ["virial", "projected", "average"])
def test_jackknife_by_leaving_out(rng, rule):
    x, y, v = rng.normal(size=(3, 2, 9)) * [[[0.5]], [[0.5]], [[700.0]]]
    without = [RULES[rule](*(np.delete(a, i, axis=1) for a in (x, y, v)))[0] for i in range(9)]
    want = jackknife(np.log(np.array(without).T))
    np.testing.assert_allclose(RULES[rule](x, y, v)[1], want, rtol=1e-10)


def test_jackknife_of_a_mean_is_its_standard_error(rng):
    values = rng.normal(size=(3, 12))
    without = (values.sum(axis=1, keepdims=True) - values) / 11
    np.testing.assert_allclose(jackknife(without), values.std(axis=1, ddof=1) / np.sqrt(12))


def test_two_forms_of_the_virial_mass(rng):
    """(3 pi / 2) sigma^2 R_PV / G with R_PV twice the harmonic mean separation."""
    x, y, v = rng.normal(size=(3, 1, 30)) * [[[0.5]], [[0.5]], [[700.0]]]
    i, j = np.triu_indices(30, 1)
    harmonic = 1 / (1 / np.hypot(x[0, i] - x[0, j], y[0, i] - y[0, j])).mean()
    want = 1.5 * np.pi * v.var(ddof=1) * 2 * harmonic / NEWTON
    np.testing.assert_allclose(virial_masses(x, y, v)[0], want, rtol=1e-9)


def test_circular_orbits_give_64_over_3_pi():
    """M(r) = M r / b of matter on circular orbits, which feels no surface: <M(r)> = M / 2."""
    assert np.allclose([ORBIT_FACTORS[k] * np.pi for k in ("isotropic", "radial", "circular")], [32, 64, 64 / 3])
    rng, shape, total = np.random.default_rng(4), (400, 500), 1e15
    axis, along = rng.normal(size=(2, 3, *shape))
    axis /= np.linalg.norm(axis, axis=0)
    along -= (along * axis).sum(axis=0) * axis
    along /= np.linalg.norm(along, axis=0)
    r, velocity = rng.random(shape), np.sqrt(NEWTON * total) * along[2]
    mass, _ = projected_masses(r * axis[0], r * axis[1], velocity, ORBIT_FACTORS["circular"])
    assert abs(mass.mean() / total - 1) < 0.01


@pytest.mark.parametrize("z", [0.0, 0.5])
def test_virial_masses_of_nfw_haloes(z):
    """Members within R200c: unbiased with the surface term, 1 / 0.8 too large without."""
    rng = np.random.default_rng(11)
    truth = 10 ** rng.uniform(14, 15, 300)
    x, y, v = nfw(rng, truth, 200, MDPL2, z)
    clusters = sample(v.ravel(), [200] * 300, x=x.ravel(), y=y.ravel(), redshift=z)
    with_term = make_estimator("virial").predict(clusters)
    residual = with_term.log10_mass - np.log10(truth)
    assert abs(np.median(residual)) < 0.02
    without = make_estimator("virial", surface_term=False).predict(clusters)
    assert 0.1 < np.median(without.log10_mass - np.log10(truth)) < 0.2
    assert residual.std() < 0.09
    sampling = np.sqrt(((with_term.upper - with_term.lower) / 2 * np.log(10)) ** 2 - PROJECTION_SCATTER**2)
    assert 0.8 < sampling.mean() / (residual.std() * np.log(10)) < 1.4
    assert not with_term.flags.any()


@pytest.mark.parametrize("name", NAMES)
def test_masses_of_nfw_haloes(name):
    """Members within R200c. Means and medians over pairs have no surface term, and are too large."""
    rng = np.random.default_rng(12)
    truth = 10 ** rng.uniform(14, 15, 150)
    x, y, v = nfw(rng, truth, 100, MDPL2, 0.1)
    clusters = sample(v.ravel(), [100] * 150, x=x.ravel(), y=y.ravel(), redshift=0.1)
    residual = make_estimator(name).predict(clusters).log10_mass - np.log10(truth)
    bias = {"projected-mass-average": 0.14, "projected-mass-median": 0.06}.get(name, 0.0)
    assert abs(np.median(residual) - bias) < 0.03
    assert residual.std() < 0.13
    if name == "projected-mass":
        plain = make_estimator(name, surface_term=False).predict(clusters).log10_mass - np.log10(truth)
        assert 0.2 < np.median(plain) < 0.3


@pytest.mark.parametrize("name", NAMES)
def test_radii_alone_are_enough(rng, name):
    """A table with radii only (x = R, y = 0): separations are taken over all angles."""
    truth = 10 ** rng.uniform(14, 15, 200)
    x, y, v = nfw(rng, truth, 100, MDPL2, 0.1)
    full = sample(v.ravel(), [100] * 200, x=x.ravel(), y=y.ravel(), redshift=0.1)
    flat = sample(v.ravel(), [100] * 200, x=np.hypot(x, y).ravel(), redshift=0.1)
    one, two = (make_estimator(name).predict(clusters) for clusters in (full, flat))
    apart = two.log10_mass - one.log10_mass
    assert abs(np.mean(apart)) < 0.02
    assert np.std(apart) < 0.06
    if name == "projected-mass":
        assert np.abs(apart).max() < 1e-12
    widths = (two.upper - two.lower) / (one.upper - one.lower)
    assert abs(np.median(widths) - 1) < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_flags(rng, name):
    sizes = [0, 1, 2, 3, 4, 5, 30, 30, 30]
    x, y, v = rng.normal(size=(3, sum(sizes))) * [[0.5], [0.5], [700.0]]
    v[-60:-30] = 100.0  # all velocities the same
    x[-30:] = y[-30:] = 0.3  # all at one place
    found = make_estimator(name).predict(sample(v, sizes, x=x, y=y))
    assert found.flagged("too_few_galaxies").tolist() == [True] * 5 + [False] * 4
    assert np.isnan(found.log10_mass[:3]).all()
    assert np.isfinite(found.log10_mass[3:7]).all()
    assert np.isfinite(found.upper[4:7]).all()
    assert np.isnan(found.log10_mass[7])
    assert found.flagged("out_of_support").tolist()[:8] == [False] * 7 + [True]
    assert np.isnan(found.log10_mass[8]) == (name != "projected-mass")  # whose radii are not zero
    assert len(make_estimator(name).predict(sample([], []))) == 0


@pytest.mark.parametrize("name", NAMES)
def test_order_and_batch_do_not_matter(rng, name):
    sizes = rng.integers(0, 40, 60)
    x, y, v = rng.normal(size=(3, sizes.sum())) * [[0.5], [0.5], [700.0]]
    whole = sample(v, sizes, x=x, y=y, redshift=rng.uniform(0, 0.5, 60))
    found = make_estimator(name).predict(whole)
    order = rng.permutation(60)
    again = make_estimator(name).predict(whole.only(order))
    for a, b in ((found.log10_mass, again.log10_mass), (found.upper, again.upper), (found.flags, again.flags)):
        np.testing.assert_array_equal(a[order], b)


@pytest.mark.parametrize("name", NAMES)
def test_velocity_errors_and_interlopers(rng, name):
    truth = 10 ** rng.uniform(14.5, 15, 60)
    x, y, v = nfw(rng, truth, 150, MDPL2, 0.1)
    arrays = dict(x=x.ravel(), y=y.ravel(), redshift=0.1)
    plain = make_estimator(name).predict(sample(v.ravel(), [150] * 60, **arrays)).log10_mass
    noisy = v.ravel() + rng.normal(0, 300, v.size)
    told = sample(noisy, [150] * 60, velocity_error=np.full(v.size, 300.0), **arrays)
    assert abs(np.median(make_estimator(name).predict(told).log10_mass - plain)) < 0.03
    hopeless = sample(noisy, [150] * 60, velocity_error=np.full(v.size, 5000.0), **arrays)
    assert make_estimator(name).predict(hopeless).flagged("out_of_support").all()
    v = np.where(rng.random(v.shape) < 0.06, 8000.0, v)
    dirty = sample(v.ravel(), [150] * 60, **arrays)
    kept = make_estimator(name).predict(dirty).log10_mass
    cleaned = make_estimator(name, interlopers="shifting_gapper").predict(dirty).log10_mass
    clipped = make_estimator(name, clip=3.0).predict(dirty).log10_mass
    assert abs(np.median(clipped - plain)) < 0.03
    assert np.median(kept - plain) > (0.5 if "median" not in name else 0.05)
    assert -0.05 < np.median(cleaned - plain) < 0.5 * np.median(kept - plain)  # outer, cold bins keep theirs


@pytest.mark.parametrize("name", NAMES)
def test_the_file_gives_the_same_bits(rng, tmp_path, name):
    pytest.importorskip("safetensors")
    from clustermass.models.store import load_estimator, save_estimator

    made = make_estimator(name, clip=2.5, interlopers="shifting_gapper")
    assert made.name == name
    save_estimator(tmp_path / "m.safetensors", made)
    back = load_estimator(tmp_path / "m.safetensors")
    x, y, v = rng.normal(size=(3, 50)) * [[0.5], [0.5], [700.0]]
    clusters = sample(v, [50], x=x, y=y)
    assert made.predict(clusters).log10_mass.tobytes() == back.predict(clusters).log10_mass.tobytes()
    assert back.state() == made.state()


def test_refusals():
    with pytest.raises(DomainError, match="`kind`"):
        ProjectedMass(kind="mean")
    with pytest.raises(DomainError, match="`orbits`"):
        ProjectedMass(orbits="boxy")
    with pytest.raises(DomainError, match="`clip`"):
        VirialMass(clip=0)
    with pytest.raises(DomainError, match="`interlopers`"):
        VirialMass(interlopers="go")
