"""Photons of hot gas in the bands of eROSITA: integrals, K-correction, distances, published factors and relations."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import integrate

import clustermass as cm
from clustermass import units
from clustermass.constants import FREE_FREE, KEV_ERG, KEV_K, RYDBERG_K
from clustermass.cosmology import PLANCK_2018
from clustermass.features import erosita, redshift_nodes
from clustermass.features.channels import CHANNELS, channel_weights
from clustermass.features.gaunt import free_free_gaunt
from clustermass.features.thermal_spectrum import photon_response
from tests.tolerances import AREA_CURVE, CLUSTER_RATE, PHOTON_TABLE, REDSHIFT_NODES

X = 0.76
NOW = SimpleNamespace(scale_factor=1.0, is_cosmological=True)


def gas_sphere(m500: float, z: float, gas_fraction: float, kev: float, n: int = 4000) -> dict[str, np.ndarray]:
    """Gas of a cluster with a beta profile (2/3, core of 0.15 R500) out to 2 R500, at one temperature."""
    critical = 2.775e11 * PLANCK_2018.h**2 * float(PLANCK_2018.expansion(z)) ** 2
    r500 = (3.0 * m500 / (4.0 * np.pi * 500.0 * critical)) ** (1 / 3)
    x = np.linspace(1e-3, 2.0, 4000)
    shape = 1.0 / (1.0 + (x / 0.15) ** 2)
    mass = np.cumsum(shape * x**2)
    total = gas_fraction * m500 * mass[-1] / np.interp(1.0, x, mass)
    r = np.interp((np.arange(n) + 0.5) / n * mass[-1], mass, x)
    density = total / (4.0 * np.pi * r500**3 * mass[-1] * (x[1] - x[0])) / (1.0 + (r / 0.15) ** 2)
    return {"masses": np.full(n, total / n), "density": density, "temperature": np.full(n, kev * KEV_K),
            "electron_abundance": np.full(n, 1.158)}  # fmt: skip


@pytest.mark.parametrize("kev", [0.5, 2.0, 8.0])
@pytest.mark.parametrize("z", [0.0, 0.3, 1.2])
@pytest.mark.parametrize("band", [erosita.ENERGY_BANDS[0], erosita.ENERGY_BANDS[6]], ids=str)
def test_k_correction_against_direct_integration(kev, z, band):
    t = kev * KEV_K

    def integrand(energy: float) -> float:
        # luminosity per energy where it was emitted, photons per energy where it is seen
        u = (1 + z) * energy / kev
        gaunt = sum(n * q**2 * free_free_gaunt(u, q**2 * RYDBERG_K / t) for q, n in ((1, 1), (2, (1 - X) / (4 * X))))
        emitted_per_kev = FREE_FREE * np.sqrt(t) * gaunt * np.exp(-u) / kev
        seen = erosita.effective_area(energy) * erosita.transmission([energy])[0]
        return float(emitted_per_kev * (1 + z) / (energy * KEV_ERG) * seen)

    corners = [0.284, 0.3, 0.4, 1.6]
    want, _ = integrate.quad(integrand, *band, points=[c for c in corners if band[0] < c < band[1]], epsrel=1e-9)
    got = photon_response(np.array([t]), band, redshift=z, hydrogen_fraction=X)[0]
    assert got == pytest.approx(want, rel=PHOTON_TABLE)


def test_energy_flux_of_the_photons_is_the_luminosity():
    """With an area of 1 the counts times their energy, in narrow bands, add up to L / (4 pi d_L^2) of the same band."""
    gas = gas_sphere(2e14, 0.4, 0.1, 4.0, n=50)
    names = list(erosita.BAND_NAMES)
    rates = channel_weights(gas, names, NOW, redshift=0.4).sum(axis=0)
    for rate, band in zip(rates[2:9], erosita.ENERGY_BANDS[2:9], strict=True):
        luminosity = cm.bremsstrahlung_luminosity(**gas, scale_factor=1.0, band=band, redshift=0.4).sum()
        middle = 0.5 * (band[0] + band[1])
        through = float(erosita.effective_area(middle) * erosita.transmission([middle])[0])
        assert rate * middle * KEV_ERG / through == pytest.approx(luminosity, rel=0.02)


def test_counts_fall_with_luminosity_distance_and_rise_with_density():
    gas = gas_sphere(1e14, 0.3, 0.1, 3.0, n=10)
    weights = channel_weights(gas, ["band_0660_0865"], NOW, redshift=0.3)
    denser = channel_weights(gas | {"density": 3.0 * gas["density"]}, ["band_0660_0865"], NOW, redshift=0.3)
    np.testing.assert_allclose(denser, 3.0 * weights)
    factor = CHANNELS["band_0660_0865"].pixel_factor(
        angular_diameter_distance=[900.0, 900.0], luminosity_distance=[1500.0, 3000.0], pixel_angle=1e-4
    )
    assert factor[0] / factor[1] == pytest.approx(4.0)
    assert factor[0] == pytest.approx(1.0 / (4.0 * np.pi * (1500.0 * units.MPC_CM) ** 2))


def test_cold_and_forming_gas_gives_nothing():
    gas = {"masses": np.ones(3), "density": np.full(3, 1e13), "temperature": np.array([1e7, 0.0, 1e7]),
           "electron_abundance": np.full(3, 1.16), "star_formation_rate": np.array([0.0, 0.0, 1.0])}  # fmt: skip
    with pytest.warns(cm.errors.DataWarning):
        weights = channel_weights(gas, ["band_0660_0865"], NOW, redshift=0.1)[:, 0]
    assert weights[0] > 0
    assert (weights[1:] == 0).all()


@pytest.mark.parametrize(
    ("band", "published"),
    [((0.2, 2.3), 1.07e12), ((0.5, 2.0), 1.19e12), ((0.5, 1.0), 1.37e12), ((1.0, 2.0), 1.03e12), ((2.0, 5.0), 1.6e11)],
    ids=str,
)
def test_area_gives_the_published_conversion_factors(band, published):
    """ecfxa 1.0: counts for the fluence in the same band, of a power law of slope 2 behind 3e20 atoms per cm^2."""
    energy, weight = erosita.band_nodes(band)
    seen = energy**-2.0 * erosita.transmission(energy, 3e20) * weight
    got = (seen * erosita.effective_area(energy)).sum() / (seen * energy).sum() / KEV_ERG
    assert got == pytest.approx(published, rel=AREA_CURVE)


def test_absorption_against_its_source():
    """Morrison & McCammon 1983: 2.422e-22 cm^2 at 1 keV by their table 2; oxygen absorbs from 0.532 keV on."""
    depth = -np.log(erosita.transmission([0.5319, 0.5321, 1.0], 1e21))
    assert depth[2] == pytest.approx(0.2422)
    assert depth[1] > 1.3 * depth[0]
    assert erosita.transmission(1.0, 0.0) == 1.0


def test_rate_of_a_cluster_against_published_relations():
    """L500 of Piffaretti et al. 2011 (eq. 2) at 1e14 Msun and z = 0.3, through the published conversion factor."""
    gas = gas_sphere(1e14, 0.3, 0.09, 2.6)
    distance = float(PLANCK_2018.luminosity_distance(0.3)) * units.MPC_CM
    rate = channel_weights(gas, erosita.BAND_NAMES, NOW, redshift=0.3).sum() / (4 * np.pi * distance**2)
    luminosity = 10**0.274 * (1e14 / 3e14) ** 1.64 * float(PLANCK_2018.expansion(0.3)) ** (7 / 3) * 1e44
    published = luminosity / (4 * np.pi * distance**2) * 1.07e12  # 0.1-2.4 keV seen in 0.2-2.3 keV
    assert CLUSTER_RATE > rate / published > 1 / CLUSTER_RATE


def test_flux_of_a_distant_cluster_against_the_published_relation():
    """Lyskova et al. 2025 (A&A 702, A175): M500 = 1.2e14 eta (F / 1e-14)^0.57 z^0.5, eta 0.8 for hydrostatic masses."""
    gas = gas_sphere(3e14, 0.7, 0.11, 5.5)
    distance = float(PLANCK_2018.luminosity_distance(0.7)) * units.MPC_CM
    flux = cm.bremsstrahlung_luminosity(**gas, scale_factor=1.0, band=(0.5, 2.0), redshift=0.7).sum()
    published = 1e-14 * (3e14 / (1.2e14 * 0.8 * 0.7**0.5)) ** (1 / 0.57)
    assert CLUSTER_RATE > flux / (4 * np.pi * distance**2) / published > 1 / CLUSTER_RATE


@pytest.mark.parametrize("limits", [(0.03, 0.07), (0.05, 0.6), (0.01, 1.5)], ids=str)
def test_few_redshifts_are_enough(limits):
    nodes = redshift_nodes.redshift_nodes(limits, 10)
    z = np.linspace(*limits, 9)
    shares = redshift_nodes.lagrange(np.log1p(nodes), np.log1p(z))
    t = np.array([1.0, 3.0, 9.0]) * KEV_K
    for band in erosita.ENERGY_BANDS[::3]:
        exact, at_nodes = (
            np.array([photon_response(t, band, redshift=float(v), hydrogen_fraction=X) for v in values])
            for values in (z, nodes)
        )
        np.testing.assert_allclose(shares @ at_nodes, exact, rtol=REDSHIFT_NODES)


def test_one_redshift_is_one_node_and_channels_stay_within_the_limit():
    assert redshift_nodes.redshift_nodes(0.3).tolist() == [0.3]
    channels = [CHANNELS[name] for name in ("compton_y", *erosita.BAND_NAMES)]
    made = redshift_nodes.with_nodes(channels, (0.01, 1.5))
    assert made[0] is channels[0]
    assert len(made) <= 64
    assert len({c.name for c in made}) == len(made)
