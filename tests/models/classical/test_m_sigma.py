"""The fitted relation between dispersion and mass: planted relations come back, posteriors are calibrated."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.errors import BadInputError, DomainError, MissingFieldError, NotFittedError
from clustermass.models.classical.m_sigma import MSigma
from clustermass.models.registry import make_estimator
from tests.models.classical.samples import on_a_relation, sample

# Ho et al. 2019, output of the published notebook: coef, intercept, residual in log10 sigma
PUBLISHED = {"pure": (0.36582, 3.03623, 0.0689), "contaminated": (0.24117, 3.00107, 0.1038)}


@pytest.mark.parametrize("kind", PUBLISHED)
@pytest.mark.parametrize("method", ["std", "gapper", "biweight"])
def test_the_published_relations_come_back(kind, method):
    coef, intercept, scatter = PUBLISHED[kind]
    clusters = on_a_relation(np.random.default_rng(3), 4000, 200, coef, intercept, scatter)
    fitted = MSigma(method=method).fit(clusters)
    error = np.hypot(scatter, 0.022) / np.sqrt(4000)  # 0.022: sampling error of 200 velocities, in dex
    assert abs(fitted.coef - coef) < 4 * error / (1.5 / np.sqrt(12))
    assert abs(fitted.intercept - intercept) < 4 * error * 2.2 + 0.002  # the pivot is 0.7 dex off the middle; bias
    assert abs(fitted.scatter / np.hypot(scatter, 0.022) - 1) < 0.05


def test_the_inverse_of_the_published_relation():
    """1,087 km/s is 1e15 Msun/h; a tenth of the mass has 1087 * 10^-0.36582 km/s."""
    fitted = MSigma()
    fitted.coef, fitted.intercept = PUBLISHED["pure"][:2]
    np.testing.assert_allclose(fitted._invert(np.log10([1087.0, 1087.0 / 10**0.36582])), [0, -1], atol=2e-3)


def test_masses_are_in_msun_whatever_the_hubble_constant(rng):
    """Half of h: distances, and with them dynamical masses in Msun, are twice as large."""
    from clustermass.cosmology import Cosmology

    clusters = on_a_relation(rng, 500, 50, 0.36, 3.0, 0.05)
    fitted = MSigma().fit(clusters)
    other = sample(clusters.velocity, clusters.n_galaxies, cosmology=Cosmology(clusters.cosmology.h / 2, 0.3))
    shift = fitted.predict(other).log10_mass - fitted.predict(clusters).log10_mass
    np.testing.assert_allclose(shift, np.log10(2), rtol=1e-12)


@pytest.mark.parametrize("members", [15, 100])
def test_posteriors_are_calibrated(members):
    rng = np.random.default_rng(8)
    train, test = (on_a_relation(rng, 4000, members, 0.24, 3.0, 0.1) for _ in range(2))
    found = MSigma().fit(train).predict(test)
    assert not found.flagged("too_few_galaxies").any()
    pit = found.cdf(test.log10_m200c)
    counts = np.histogram(pit, np.linspace(0, 1, 11))[0]
    assert ((counts - 400) ** 2 / 400).sum() < 45  # chi^2 of 9: one in a million
    low, high = found.interval(0.6827)
    inside = (test.log10_m200c > low) & (test.log10_m200c < high)
    assert abs(inside.mean() - 0.6827) < 4 * np.sqrt(0.68 * 0.32 / 4000) + 0.01
    # in each half of the dispersions, too: intervals follow the mass, where the range of masses cuts them
    high_sigma = found.log10_mass > np.median(found.log10_mass)
    for half in (high_sigma, ~high_sigma):
        assert abs(inside[half].mean() - 0.6827) < 4 * np.sqrt(0.68 * 0.32 / 2000) + 0.02


def test_the_estimate_is_the_inverted_fit(rng):
    clusters = on_a_relation(rng, 300, 40, 0.36, 3.0, 0.05)
    fitted = MSigma().fit(clusters)
    sigma = [v.std(ddof=1) for v in np.split(clusters.velocity, clusters.offsets[1:-1])]
    want = (np.log10(sigma) - fitted.intercept) / fitted.coef + 15 - np.log10(clusters.cosmology.h)
    np.testing.assert_allclose(fitted.predict(clusters).log10_mass, want, rtol=1e-12)
    line = np.polyfit(clusters.log10_m200c - 15 + np.log10(clusters.cosmology.h), np.log10(sigma), 1)
    np.testing.assert_allclose([fitted.coef, fitted.intercept], line, rtol=1e-10)


def test_flags(rng):
    fitted = MSigma().fit(on_a_relation(rng, 300, 20, 0.36, 3.0, 0.05))
    velocity = [*rng.normal(0, 600, 20), *rng.normal(0, 600, 10), *rng.normal(0, 3000, 20), *[7.0] * 20, 5.0]
    found = fitted.predict(sample(velocity, [20, 10, 20, 20, 1, 0]))
    assert found.flagged("too_few_galaxies").tolist() == [False, True, False, False, True, True]
    assert found.flagged("out_of_support").tolist() == [False, False, True, True, False, False]
    assert np.isnan(found.log10_mass).tolist() == [False, False, False, True, True, True]
    assert found.flagged("no_interval").tolist() == [False, False, False, True, True, True]


def test_no_clusters(rng):
    fitted = MSigma().fit(on_a_relation(rng, 30, 20, 0.36, 3.0, 0.05))
    assert len(fitted.predict(sample([], []))) == 0


def test_settings_change_the_dispersion(rng):
    """A tenth of interlopers raises the mass; clipping and the gapper take that back."""
    clean = on_a_relation(rng, 300, 100, 0.36, 3.0, 0.02, low=14.5)
    velocity = clean.velocity.copy()
    far = rng.random(velocity.size) < 0.07
    velocity[far] = rng.choice([-6000.0, 6000.0], far.sum()) + rng.normal(0, 100, far.sum())
    radius = rng.uniform(0, 2, velocity.size)
    dirty = sample(velocity, clean.n_galaxies, x=radius, log10_m200c=clean.log10_m200c)
    fitted = MSigma().fit(clean)
    bias = {}
    for name, settings in {"plain": {}, "clipped": {"clip": 3.0}, "gapper": {"interlopers": "shifting_gapper"}}.items():
        made = MSigma(**settings)
        made.__dict__ |= {k: v for k, v in fitted.__dict__.items() if k != "dispersions"}
        bias[name] = np.median(made.predict(dirty).log10_mass - clean.log10_m200c)
    assert bias["plain"] > 0.7
    assert abs(bias["clipped"]) < 0.1
    assert abs(bias["gapper"]) < 0.1


def test_velocity_errors_are_subtracted(rng):
    clean = on_a_relation(rng, 400, 100, 0.36, 3.0, 0.02)
    error = np.full(clean.velocity.size, 250.0)
    noisy = sample(
        clean.velocity + rng.normal(0, 250, error.size), clean.n_galaxies, velocity_error=error,
        log10_m200c=clean.log10_m200c,
    )  # fmt: skip
    fitted = MSigma().fit(clean)
    assert abs(np.median(fitted.predict(noisy).log10_mass - clean.log10_m200c)) < 0.02
    plain = sample(noisy.velocity, noisy.n_galaxies)
    assert np.median(fitted.predict(plain).log10_mass - clean.log10_m200c) > 0.06


def test_errors_go_with_their_galaxies_when_interlopers_leave(rng):
    velocity, radius = rng.normal(0, 900, 500), rng.uniform(0, 2, 500)
    velocity[::9] = 7000.0
    error = np.where(velocity == 7000.0, 5000.0, 300.0)
    made = MSigma(interlopers="shifting_gapper").dispersions
    plain = made(sample(velocity, [500], x=radius))
    found = made(sample(velocity, [500], x=radius, velocity_error=error))
    assert plain.n_used[0] < 460
    np.testing.assert_allclose(found.sigma, np.sqrt(plain.sigma**2 - 300.0**2), rtol=1e-12)


def test_the_file_gives_the_same_bits(rng, tmp_path):
    pytest.importorskip("safetensors")
    from clustermass.models.store import load_estimator, save_estimator

    clusters = on_a_relation(rng, 300, 30, 0.36, 3.0, 0.05)
    made = make_estimator("m-sigma", method="biweight", clip=3.0).fit(clusters)
    save_estimator(tmp_path / "m.safetensors", made)
    back = load_estimator(tmp_path / "m.safetensors")
    one, two = made.predict(clusters), back.predict(clusters)
    assert one.samples.tobytes() == two.samples.tobytes()
    assert one.log10_mass.tobytes() == two.log10_mass.tobytes()
    assert (back.coef, back.dispersions.settings) == (made.coef, made.dispersions.settings)


def test_refusals(rng):
    clusters = on_a_relation(rng, 30, 20, 0.36, 3.0, 0.05)
    with pytest.raises(NotFittedError, match="m-sigma must be fitted"):
        MSigma().predict(clusters)
    with pytest.raises(MissingFieldError, match="log10_m200c"):
        MSigma().fit(sample(clusters.velocity, clusters.n_galaxies))
    with pytest.raises(BadInputError, match="at least three with a dispersion, got 2"):
        MSigma().fit(clusters.only([0, 1]))
    falling = sample(clusters.velocity, clusters.n_galaxies, log10_m200c=-clusters.log10_m200c)
    with pytest.raises(BadInputError, match="rise with mass"):
        MSigma().fit(falling)
    with pytest.raises(DomainError, match="`method`"):
        make_estimator("m-sigma", method="mad")
    with pytest.raises(DomainError, match="`interlopers`"):
        make_estimator("m-sigma", interlopers="go")
