"""Temperature, Compton Upsilon and bremsstrahlung of gas particles: values, laws, edges, errors."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustermass.constants import KEV_K, full_electron_abundance
from clustermass.errors import ArrayError, BadInputError, DataWarning, DomainError, DTypeError, UnitError
from clustermass.features.tracers import bremsstrahlung_luminosity, compton_upsilon, gas_temperature

FULL = full_electron_abundance()


def gas(rng, n):
    """n gas particles of clusters and their surroundings; arguments of the luminosity."""
    return 1e9 * rng.random(n), 10 ** rng.uniform(10, 16, n), 10 ** rng.uniform(5, 8.5, n), rng.uniform(0.9, 1.2, n)


@pytest.mark.parametrize(("electrons", "molecular_weight"), [(0.0, 4 / 3.28), (FULL, 0.5882), (1.0, 4 / 6.32)])
def test_temperature_follows_the_molecular_weight(electrons, molecular_weight):
    got = gas_temperature([1e6], [electrons])[0]
    want = 2 / 3 * 1e6 * 1e10 * molecular_weight * 1.672621926e-24 / 1.380649e-16
    assert got == pytest.approx(want, rel=1e-4)


def test_pure_hydrogen():
    assert gas_temperature([3e5], [1.0], hydrogen_fraction=1.0)[0] == pytest.approx(
        0.5 * gas_temperature([3e5], [0.0], hydrogen_fraction=1.0)[0]
    )


def test_missing_electron_abundance_is_the_ionised_one_and_said_once(rng):
    masses, density, temperature, _ = gas(rng, 5)
    full = np.full(5, FULL)
    with pytest.warns(DataWarning, match=r"fully ionised.*1\.1579") as caught:
        got = gas_temperature(temperature)
    assert len(caught) == 1
    assert caught[0].filename == __file__  # the warning points at the caller
    np.testing.assert_array_equal(got, gas_temperature(temperature, full))
    with pytest.warns(DataWarning, match="fully ionised") as caught:
        got = compton_upsilon(masses, temperature)
    assert len(caught) == 1
    np.testing.assert_array_equal(got, compton_upsilon(masses, temperature, full))
    with pytest.warns(DataWarning, match="fully ionised") as caught:
        got = bremsstrahlung_luminosity(masses, density, temperature, scale_factor=1.0)
    assert len(caught) == 1
    np.testing.assert_array_equal(got, bremsstrahlung_luminosity(masses, density, temperature, full, scale_factor=1.0))


@given(
    mass=st.floats(1e3, 1e15),
    density=st.floats(1e8, 1e17),
    temperature=st.floats(1e4, 1e9),
    factor=st.floats(1e-3, 1e3),
)
@settings(deadline=None, max_examples=60)
def test_scaling_laws(mass, density, temperature, factor):
    one = bremsstrahlung_luminosity([mass], [density], [temperature], [FULL], scale_factor=0.9, band=(0.5, 2.0))
    kwargs = {"scale_factor": 0.9, "band": (0.5, 2.0)}
    np.testing.assert_allclose(
        bremsstrahlung_luminosity([factor * mass], [density], [temperature], [FULL], **kwargs), factor * one, rtol=1e-12
    )
    np.testing.assert_allclose(
        bremsstrahlung_luminosity([mass], [factor * density], [temperature], [FULL], **kwargs), factor * one, rtol=1e-12
    )
    np.testing.assert_allclose(
        bremsstrahlung_luminosity([mass], [density], [temperature], [FULL], scale_factor=0.45, band=(0.5, 2.0)),
        8 * one,
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        compton_upsilon([factor * mass], [temperature], [FULL]),
        factor * compton_upsilon([mass], [temperature], [FULL]),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        gas_temperature([factor * temperature], [FULL]), factor * gas_temperature([temperature], [FULL]), rtol=1e-12
    )


def test_bands_add_up_and_stay_below_the_whole(rng):
    args = gas(rng, 400)
    pieces = [(0.0, 0.5), (0.5, 2.0), (2.0, 10.0), (10.0, 1e4)]
    parts = [bremsstrahlung_luminosity(*args, scale_factor=1.0, band=band) for band in pieces]
    whole = bremsstrahlung_luminosity(*args, scale_factor=1.0)
    assert all((part >= 0).all() and (part <= whole * (1 + 1e-6)).all() for part in parts)
    np.testing.assert_allclose(sum(parts), whole, rtol=5e-4)  # the tables of the pieces are read between their points


def test_redshift_shifts_the_band(rng):
    args = gas(rng, 50)
    shifted = bremsstrahlung_luminosity(*args, scale_factor=1.0, band=(0.5, 2.0), redshift=0.25)
    np.testing.assert_array_equal(shifted, bremsstrahlung_luminosity(*args, scale_factor=1.0, band=(0.625, 2.5)))
    whole = bremsstrahlung_luminosity(*args, scale_factor=1.0, redshift=0.25)
    np.testing.assert_array_equal(whole, bremsstrahlung_luminosity(*args, scale_factor=1.0))


def test_fewer_electrons_mean_fewer_ions():
    def shine(electrons):
        return bremsstrahlung_luminosity([1e9], [1e14], [1e6], [electrons], scale_factor=1.0)[0]

    assert shine(FULL / 2) == pytest.approx(shine(FULL) / 4)
    assert shine(1.2) == pytest.approx(shine(FULL) * 1.2 / FULL)  # metals give electrons; no hydrogen is left to ionise
    assert shine(0.0) == 0


BAD = [0.0, -1.0, np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("bad", BAD)
def test_unusable_gas_counts_for_nothing_and_is_counted(bad):
    with pytest.warns(DataWarning, match="gas_temperature: 2 of 3 gas particles"):
        got = gas_temperature([1e6, bad, bad], [1.0, 1.0, 1.0])
    assert got[0] > 0
    assert not got[1:].any()
    with pytest.warns(DataWarning, match="bremsstrahlung_luminosity: 1 of 2"):
        got = bremsstrahlung_luminosity([1e9, 1e9], [1e14, bad], [1e7, 1e7], [1.1, 1.1], scale_factor=1.0)
    assert got[0] > 0
    assert got[1] == 0


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_unusable_temperature_and_electrons(bad):
    with pytest.warns(DataWarning, match="compton_upsilon: 2 of 3"):
        got = compton_upsilon([1e9, 1e9, 1e9], [1e7, bad, 1e7], [1.1, 1.1, bad])
    assert got[0] > 0
    assert not got[1:].any()


def test_zero_temperature_is_dark_without_a_warning():
    assert compton_upsilon([1e9], [0.0], [1.1])[0] == 0
    assert bremsstrahlung_luminosity([1e9], [1e14], [0.0], [1.1], scale_factor=1.0)[0] == 0


def test_extreme_temperatures_stay_finite():
    t = np.array([1e-3, 1.0, 1e3, 1e12, 1e30])
    n = np.ones(5)
    for band in (None, (0.5, 2.0)):
        got = bremsstrahlung_luminosity(n, n, t, n, scale_factor=1.0, band=band)
        assert np.isfinite(got).all()
        assert (got >= 0).all()


@pytest.mark.parametrize("n", [0, 1, 131_072, 131_073])
def test_blocks_do_not_show(rng, n):
    args = gas(rng, n)
    whole = bremsstrahlung_luminosity(*args, scale_factor=1.0)
    assert whole.shape == (n,)
    assert whole.dtype == np.float64
    tail = bremsstrahlung_luminosity(*(a[-3:] for a in args), scale_factor=1.0)
    np.testing.assert_array_equal(whole[-3:], tail)
    assert gas_temperature(args[2], args[3]).shape == compton_upsilon(args[0], args[2], args[3]).shape == (n,)


def test_float32_readonly_strided_input_gives_the_same(rng):
    args = [a.astype(np.float32) for a in gas(rng, 64)]
    want = bremsstrahlung_luminosity(*(a.astype(np.float64) for a in args), scale_factor=1.0)
    assert np.isfinite(want).all()  # 1e44 erg/s would not fit in float32
    strided = [np.repeat(a, 2)[::2] for a in args]
    for a in strided:
        a.flags.writeable = False
    np.testing.assert_array_equal(bremsstrahlung_luminosity(*strided, scale_factor=1.0), want)


def test_quantities_are_converted():
    plain = bremsstrahlung_luminosity([1e9], [1e14], [5e7], [1.1], scale_factor=1.0, band=(0.5, 2.0))
    masses, density = [1e9] * u.Msun, ([1e14] * u.Msun / u.Mpc**3).to(u.g / u.cm**3)
    got = bremsstrahlung_luminosity(
        masses, density, [5e7] * u.K, [1.1], scale_factor=1.0, band=(500 * u.eV, 2000 * u.eV)
    )
    np.testing.assert_allclose(got, plain, rtol=1e-6)
    np.testing.assert_allclose(gas_temperature([1e12] * u.m**2 / u.s**2, [1.1]), gas_temperature([1e6], [1.1]))
    with pytest.raises(UnitError, match="`masses` must be convertible to Msun"):
        compton_upsilon([1.0] * u.K, [5e7], [1.1])


def test_errors_name_the_argument():
    ones = np.ones(3)
    with pytest.raises(ArrayError, match=r"`electron_abundance` must have shape \(3,\), got \(2,\)"):
        gas_temperature(ones, ones[:2])
    with pytest.raises(ArrayError, match="`temperature`"):
        compton_upsilon(ones, ones[:2], ones)
    with pytest.raises(BadInputError, match="`masses` must be finite, got 1 of 3"):
        compton_upsilon([1.0, np.nan, 1.0], ones, ones)
    with pytest.raises(BadInputError, match="`masses` must not be negative"):
        bremsstrahlung_luminosity(-ones, ones, ones, ones, scale_factor=1.0)
    with pytest.raises(DTypeError, match="`internal_energy`"):
        gas_temperature(["hot"], [1.0])
    for name, value in [
        ("scale_factor", 0.0), ("redshift", -1.0), ("hydrogen_fraction", 1.5), ("hydrogen_fraction", 0.0),
        ("gaunt_factor", 0.0), ("band", 2.0), ("band[1]", (2.0, 0.5)), ("band[0]", (-1.0, 0.5)),
    ]:  # fmt: skip
        kwargs = {"scale_factor": 1.0, name.partition("[")[0]: value}
        with pytest.raises(DomainError) as caught:
            bremsstrahlung_luminosity(ones, ones, ones, ones, **kwargs)
        assert f"`{name}`" in str(caught.value)


def test_input_is_not_modified(rng):
    args = gas(rng, 8)
    copies = [a.copy() for a in args]
    args[1][0] = copies[1][0] = np.nan
    with pytest.warns(DataWarning):
        bremsstrahlung_luminosity(*args, scale_factor=1.0)
    for a, b in zip(args, copies, strict=True):
        np.testing.assert_array_equal(a, b)


def test_constant_gaunt_factor_is_a_factor():
    args = ([1e9], [1e14], [5 * KEV_K], [1.1])
    one = bremsstrahlung_luminosity(*args, scale_factor=1.0, gaunt_factor=1.0)
    np.testing.assert_allclose(bremsstrahlung_luminosity(*args, scale_factor=1.0, gaunt_factor=1.2), 1.2 * one)
    real = bremsstrahlung_luminosity(*args, scale_factor=1.0)
    assert 1.1 < real[0] / one[0] < 1.3
