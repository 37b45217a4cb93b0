"""The channel registry and the weights of particles."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest

from clustermass import units
from clustermass.errors import ArrayError, BadInputError, DataWarning, DomainError, MissingFieldError, UnitError
from clustermass.features.channels import CHANNELS, channel_fields, channel_weights, find_channels
from clustermass.features.erosita import BAND_NAMES
from clustermass.features.tracers import bremsstrahlung_luminosity, compton_upsilon, gas_temperature

HEADER = SimpleNamespace(scale_factor=0.9, is_cosmological=True)
ISOLATED = SimpleNamespace(scale_factor=1.0, is_cosmological=False)
GAS = ["xray_soft", "compton_y", "gas_mass", "xray_bolometric"]


@pytest.fixture
def chunk(rng):
    n = 300
    return {
        "positions": rng.random((n, 3)),
        "masses": (1e9 * rng.random(n)).astype(np.float32),
        "density": (10 ** rng.uniform(11, 15, n)).astype(np.float32),
        "internal_energy": (10 ** rng.uniform(3, 6.5, n)).astype(np.float32),
        "electron_abundance": rng.uniform(1.0, 1.2, n).astype(np.float32),
        "star_formation_rate": np.where(rng.random(n) < 0.2, rng.random(n), 0).astype(np.float32),
    }


def test_registry_holds_the_published_defaults():
    table = {name: (c.noise_rms, c.beam_fwhm / units.ARCMIN_RAD, c.unit) for name, c in CHANNELS.items()}
    names = ["stars", "xray_soft", "xray_bolometric", "compton_y", "gas_mass", "dark_matter"]
    assert list(table) == [*names, *BAND_NAMES]
    assert {table[name] for name in BAND_NAMES} == {(0, 0, "ct / s")}
    assert table["stars"] == (2.14e11, 0, "solMass")
    assert table["xray_soft"] == table["xray_bolometric"] == (9e-16, pytest.approx(4 / 60), "erg / (s cm2)")
    assert table["compton_y"] == (1e-8, pytest.approx(1.4), "")
    assert table["gas_mass"] == table["dark_matter"] == (0, 0, "solMass")
    for channel in CHANNELS.values():
        u.Unit(channel.unit)  # every unit is one that astropy reads
    with pytest.raises(TypeError):
        CHANNELS["own"] = CHANNELS["stars"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        CHANNELS["stars"].noise_rms = 0.0


def test_weights_are_those_of_the_tracer_functions(chunk):
    weights = channel_weights(chunk, GAS, HEADER)
    assert weights.shape == (300, 4)
    assert weights.dtype == np.float64
    hot = chunk["star_formation_rate"] == 0
    temperature = gas_temperature(chunk["internal_energy"], chunk["electron_abundance"])
    args = chunk["masses"], chunk["density"], temperature, chunk["electron_abundance"]
    soft = bremsstrahlung_luminosity(*args, scale_factor=0.9, band=(0.5, 2.0))
    np.testing.assert_allclose(weights[:, 0], np.where(hot, soft, 0), rtol=1e-12)
    upsilon = compton_upsilon(chunk["masses"], temperature, chunk["electron_abundance"])
    np.testing.assert_allclose(weights[:, 1], np.where(hot, upsilon, 0), rtol=1e-12)
    np.testing.assert_array_equal(weights[:, 2], chunk["masses"])  # star-forming gas is gas
    whole = bremsstrahlung_luminosity(*args, scale_factor=0.9)
    np.testing.assert_allclose(weights[:, 3], np.where(hot, whole, 0), rtol=1e-12)


def test_redshift_moves_the_soft_band_only(chunk):
    near, far = channel_weights(chunk, GAS, HEADER), channel_weights(chunk, GAS, HEADER, redshift=0.3)
    np.testing.assert_array_equal(near[:, 1:], far[:, 1:])
    hot = near[:, 0] > 0
    assert (far[hot, 0] != near[hot, 0]).all()


def test_order_of_particles_does_not_matter(chunk, rng):
    order = rng.permutation(300)
    mixed = {name: values[order] for name, values in chunk.items()}
    np.testing.assert_array_equal(channel_weights(mixed, GAS, HEADER), channel_weights(chunk, GAS, HEADER)[order])


def test_temperature_stands_in_for_internal_energy(chunk):
    kelvin = gas_temperature(chunk["internal_energy"], chunk["electron_abundance"])
    other = {name: values for name, values in chunk.items() if name != "internal_energy"} | {"temperature": kelvin}
    np.testing.assert_allclose(channel_weights(other, GAS, HEADER), channel_weights(chunk, GAS, HEADER), rtol=1e-12)
    assert "temperature" in channel_fields(GAS, other)
    assert "internal_energy" not in channel_fields(GAS, other)


def test_missing_optional_fields(chunk):
    del chunk["star_formation_rate"], chunk["electron_abundance"]
    with pytest.warns(DataWarning, match="fully ionised") as caught:
        weights = channel_weights(chunk, GAS, HEADER)
    assert len(caught) == 1
    assert caught[0].filename == __file__  # the warning points at the caller
    assert (weights > 0).all()
    channel_weights(chunk, ["gas_mass"], HEADER)  # a mass needs no electrons: no warning


def test_missing_field_is_named_with_what_it_prevents():
    has = ["positions", "masses", "internal_energy"]
    assert channel_fields(["compton_y", "gas_mass"], has) == ("internal_energy", "masses")
    with pytest.raises(
        MissingFieldError, match=r"'xray_soft' needs the field `density` of gas.*it has internal_energy"
    ):
        channel_fields(["compton_y", "xray_soft"], has)
    with pytest.raises(MissingFieldError, match=r"'stars' needs the field `masses`.*it has none"):
        channel_fields(["stars"], [])
    with pytest.raises(MissingFieldError, match="density"):
        channel_weights({"masses": [1.0], "internal_energy": [1.0]}, ["xray_soft"], HEADER)


def test_unusable_gas_weighs_nothing_and_is_counted(chunk):
    chunk["star_formation_rate"][:] = 0
    chunk["star_formation_rate"][4] = 1.0
    chunk["internal_energy"][[0, 1, 4]] = [0, np.nan, np.nan]  # the last one is forming stars: never used, not counted
    chunk["electron_abundance"][2] = np.nan
    chunk["density"][[3, 4]] = [np.nan, 0]
    with pytest.warns(DataWarning) as caught:
        weights = channel_weights(chunk, GAS, HEADER)
    texts = sorted(str(w.message) for w in caught)
    assert len(texts) == 2
    assert "1 of 300 gas particles have no usable density" in texts[0]
    assert "3 of 300 gas particles have no usable internal energy" in texts[1]
    assert np.isfinite(weights).all()
    assert not weights[:5, [0, 3]].any()
    assert weights[3, 1] > 0  # Compton y needs no density
    np.testing.assert_array_equal(weights[:, 2], chunk["masses"])
    assert (weights[5:] > 0).all()


def test_stars_leave_out_wind_cells_of_cosmological_runs():
    chunk = {"masses": np.array([1e7, 2e7, 3e7]), "formation_scale_factor": np.array([0.5, -0.4, 0.0])}
    np.testing.assert_array_equal(channel_weights(chunk, ["stars"], HEADER)[:, 0], [1e7, 0, 0])
    np.testing.assert_array_equal(channel_weights(chunk, ["stars"], ISOLATED)[:, 0], [1e7, 2e7, 3e7])
    np.testing.assert_array_equal(channel_weights({"masses": [5.0]}, ["dark_matter"], HEADER), [[5.0]])


def test_empty_chunk():
    empty = {name: np.empty(0, np.float32) for name in ("masses", "density", "internal_energy", "electron_abundance")}
    assert channel_weights(empty, GAS, HEADER).shape == (0, 4)


def test_pixel_factors():
    kwargs = {"angular_diameter_distance": [200.0, 100.0], "luminosity_distance": [220.0, 110.0], "pixel_angle": 1e-3}
    np.testing.assert_array_equal(CHANNELS["stars"].pixel_factor(**kwargs), [1, 1])
    np.testing.assert_allclose(CHANNELS["compton_y"].pixel_factor(**kwargs), [25.0, 100.0])
    flux = CHANNELS["xray_soft"].pixel_factor(**kwargs)
    np.testing.assert_allclose(flux, 1 / (4 * np.pi * (np.array([220.0, 110.0]) * 3.0856775814913673e24) ** 2))
    quantities = {"angular_diameter_distance": 2e5 * u.kpc, "luminosity_distance": 2.2e5 * u.kpc}
    got = CHANNELS["xray_soft"].pixel_factor(**quantities, pixel_angle=1e-3 * u.rad)
    assert got == pytest.approx(flux[0])


def test_errors(chunk):
    with pytest.raises(DomainError, match=r"`channels` must be one of 'stars'.*'mass'"):
        channel_weights(chunk, ["mass"], HEADER)
    with pytest.raises(DomainError, match="got the single word 'stars'"):
        find_channels("stars")
    with pytest.raises(DomainError, match="one particle type, got gas, stars"):
        channel_weights(chunk, ["compton_y", "stars"], HEADER)
    with pytest.raises(DomainError, match="one particle type, got none"):
        channel_weights(chunk, [], HEADER)
    with pytest.raises(DomainError, match="`redshift`"):
        channel_weights(chunk, GAS, HEADER, redshift=np.nan)
    with pytest.raises(ArrayError, match="`density` must have shape"):
        channel_weights(chunk | {"density": np.ones(2)}, GAS, HEADER)
    with pytest.raises(UnitError, match="`density` must be convertible"):
        channel_weights(chunk | {"density": np.ones(300) * u.K}, GAS, HEADER)
    with pytest.raises(BadInputError, match="`masses` must be finite, got 1 of 300"):
        channel_weights(chunk | {"masses": np.where(np.arange(300) == 7, np.nan, 1.0)}, GAS, HEADER)
    for name in ("angular_diameter_distance", "luminosity_distance"):
        kwargs = {"angular_diameter_distance": 1.0, "luminosity_distance": 1.0, "pixel_angle": 1e-3} | {name: [1.0, 0]}
        with pytest.raises(DomainError, match=f"`{name}` must be finite and > 0"):
            CHANNELS["xray_soft"].pixel_factor(**kwargs)
