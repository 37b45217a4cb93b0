"""The gas that `clustermass mock gas` paints against published relations: mock_gas.csv and mock_gas.png.

    python docs/results/make_gas_relations.py

Haloes without a box, of masses even in the logarithm: the relations are those of the gas alone.
"""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from clustermass import UniverseSettings
from clustermass.data.mocks.gas_particles import bodies_of, gas_particles
from clustermass.data.mocks.gas_profiles import gas_haloes, tabulate
from clustermass.data.mocks.universe.galaxies import block_hosts, make_galaxy_model
from clustermass.data.mocks.universe.linear import median_concentration, nonlinear_mass
from clustermass.data.mocks.universe.mergers import draw_clumps
from clustermass.features.bremsstrahlung import bremsstrahlung_luminosity
from clustermass.nfw import convert_mass, radius_of_mass

SETTINGS = UniverseSettings()
CORE = 0.15


def paint(log10_m200c, *, n_particles=1500, seed=11):
    """Halo properties, and gas particles with the halo they belong to and their offset from it [comoving Mpc]."""
    rng = np.random.default_rng(seed)
    m200, epoch, cosmology = 10.0**log10_m200c, SETTINGS.epoch, SETTINGS.cosmology
    n = m200.size
    grid = np.geomspace(0.9 * m200.min(), 1.1 * m200.max(), 50)
    c = np.interp(m200, grid, median_concentration(SETTINGS, grid)) * 10 ** (0.145 * rng.standard_normal(n))
    r200 = radius_of_mass(m200, 200.0, cosmology, SETTINGS.redshift)
    model = make_galaxy_model(epoch, "observed", nonlinear_mass(SETTINGS))
    hosts = block_hosts(model, m200, r200, c, None, rng)
    clumps = draw_clumps(hosts, rng)
    m500 = convert_mass(m200, 200.0, 500.0, cosmology, SETTINGS.redshift, c)
    r500 = radius_of_mass(m500, 500.0, cosmology, SETTINGS.redshift)
    table = tabulate(gas_haloes(m500, r500, clumps.share > 0, epoch, rng.random(n), rng.standard_normal((3, n))))
    bodies = bodies_of(np.arange(n), clumps, rng.random((n, 2, 3)), np.full(n, n_particles))
    box = 100.0
    gas = gas_particles(bodies, table, hosts, np.full((n, 3), 0.5 * box), box)
    halo = np.repeat(bodies.halo, bodies.count)
    offset = gas.pop("positions") - 0.5 * box
    return SimpleNamespace(m200=m200, r200=r200, m500=m500, r500=r500, gas=gas, halo=halo, offset=offset, n=n,
                           family=table.haloes.family, table=table)  # fmt: skip


def luminosity(haloes, band):
    """Of each particle [erg/s]."""
    gas = haloes.gas
    return bremsstrahlung_luminosity(
        gas["masses"], gas["density"], gas["temperature"], gas["electron_abundance"],
        scale_factor=SETTINGS.epoch.scale_factor, band=band,
    )  # fmt: skip


def per_halo(haloes, weights, inside):
    """Sums of the particles of each halo."""
    return np.bincount(haloes.halo[inside], weights[inside], haloes.n)


def observables(haloes):
    """Y, T, Y_X, gas mass and luminosities within R500, those without the core, and projected ones in core and ring."""
    gas, halo = haloes.gas, haloes.halo
    radius = np.linalg.norm(haloes.offset, axis=1) / haloes.r500[halo]
    across = np.linalg.norm(haloes.offset[:, :2], axis=1) / haloes.r200[halo]
    heat, soft, all_bands = gas["masses"] * gas["temperature"], luminosity(haloes, (0.5, 2.0)), luminosity(haloes, None)
    found = {
        "Y500": per_halo(haloes, heat, radius < 1),
        "M_gas": per_halo(haloes, gas["masses"], radius < 1),
        "L_bol": per_halo(haloes, all_bands, radius < 1),
        "L_bol, core cut": per_halo(haloes, all_bands, (radius < 1) & (radius > CORE)),
        "L_soft": per_halo(haloes, soft, radius < 1),
        "L_soft, core cut": per_halo(haloes, soft, (radius < 1) & (radius > CORE)),
        "centre": per_halo(haloes, all_bands, across < CORE),
        "ring": per_halo(haloes, all_bands, (across < 1) & (across > CORE)),
        "soft centre": per_halo(haloes, soft, across < CORE),
        "soft ring": per_halo(haloes, soft, (across < 1) & (across > CORE)),
    }
    found["T500"] = found["Y500"] / found["M_gas"]
    outside = (radius > CORE) & (radius < 0.75)
    weights = (
        gas["masses"] * gas["density"] * gas["temperature"] ** -0.75
    )  # of a temperature from spectra (Mazzotta 2004)
    seen = per_halo(haloes, weights * gas["temperature"], outside) / per_halo(haloes, weights, outside)
    found["Y_X"] = found["M_gas"] * seen
    return found


def power_law(mass, values):
    """Slope, and scatter in ln about the line."""
    x, y = np.log(mass), np.log(values)
    slope, zero = np.polyfit(x, y, 1)
    return slope, float(np.std(y - slope * x - zero))


def surface_brightness(haloes, rows, edges):
    """Mean soft X-ray brightness of haloes `rows` in rings of R500, over its value in the first ring."""
    x = np.linalg.norm(haloes.offset[:, :2], axis=1) / haloes.r500[haloes.halo]
    light = luminosity(haloes, (0.5, 2.0)) / per_halo(haloes, luminosity(haloes, (0.5, 2.0)), x < 1)[haloes.halo]
    chosen = np.isin(haloes.halo, rows)
    total = np.histogram(x[chosen], edges, weights=light[chosen])[0]
    return total / np.diff(edges**2) / (total[0] / (edges[1] ** 2 - edges[0] ** 2))


#: what -> published slope and scatter in ln, and where: relations with M500c, and with the X-ray pressure Y_X
PUBLISHED = {
    ("M500c", "Y500"): ("1.65-1.8", "0.11-0.17", "MTNG; Planck 2013 XX"),
    ("M500c", "T500"): ("0.60", "0.06", "MTNG"),
    ("M500c", "M_gas"): ("1.2", "", "Pratt et al. 2022"),
    ("M500c", "L_bol"): ("1.5-2", "", ""),
    ("M500c", "L_bol, core cut"): ("1.5-2", "", ""),
    ("M500c", "L_soft"): ("1.5-2", "", ""),
    ("M500c", "L_soft, core cut"): ("1.5-2", "", ""),
    ("Y_X", "L_bol"): ("", "0.40", "Pratt et al. 2009"),
    ("Y_X", "L_bol, core cut"): ("", "below half; 0.13", "Pratt et al. 2009; Pratt et al. 2022"),
    ("Y_X", "L_soft"): ("", "", ""),
    ("Y_X", "L_soft, core cut"): ("", "0.13", "Pratt et al. 2022"),
}


def main():
    import matplotlib as mpl

    mpl.use("Agg")
    here = Path(__file__).parent
    haloes = paint(np.random.default_rng(5).uniform(14.0, 15.2, 3000), n_particles=2000)
    found = observables(haloes)
    with (here / "mock_gas.csv").open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["of", "with", "slope", "scatter in ln", "published slope", "published scatter", "source"])
        for (of, name), published in PUBLISHED.items():
            slope, scatter = power_law(haloes.m500 if of == "M500c" else found[of], found[name])
            out.writerow([name, of, f"{slope:.2f}", f"{scatter:.3f}", *published])
    draw(haloes, found, here / "mock_gas.png")


def draw(haloes, found, path):
    """Four relations with mass, families in colour, and the profiles of surface brightness."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(12, 7), constrained_layout=True)
    names = ("universal", "cool core", "disturbed")
    shown = ("Y500", "T500", "L_bol", "L_bol, core cut")
    scale = {"Y500": 1e-14 / 1.16045e7, "T500": 1 / 1.16045e7, "L_bol": 1e-44, "L_bol, core cut": 1e-44}
    labels = {"Y500": "M_gas T within R500 [1e14 Msun keV]", "T500": "T within R500, weighted by mass [keV]",
              "L_bol": "bolometric L_X within R500 [1e44 erg/s]",
              "L_bol, core cut": "the same, 0.15 R500 cut [1e44 erg/s]"}  # fmt: skip
    for axis, name in zip(axes.flat, shown, strict=False):
        for family, label in enumerate(names):
            rows = haloes.family == family
            axis.loglog(haloes.m500[rows], scale[name] * found[name][rows], ".", ms=2, label=label)
        slope, scatter = power_law(haloes.m500, found[name])
        axis.set(xlabel="M500c [Msun]", ylabel=labels[name])
        axis.set_title(f"slope {slope:.2f}, scatter {100 * scatter:.0f} %", fontsize=10)
    axes[0, 0].legend(markerscale=5)
    for part in ("ring", "centre"):
        r = np.corrcoef(np.log(haloes.m200), np.log(found[part]))[0, 1]
        axes[1, 1].loglog(haloes.m200, 1e-44 * found[part], ".", ms=2, label=f"{part}: r = {r:.3f}")
    axes[1, 1].set(xlabel="M200c [Msun]", ylabel="bolometric L_X in projection [1e44 erg/s]")
    axes[1, 1].set_title("centre: 0.15 R200c; ring: to R200c", fontsize=10)
    axes[1, 1].legend(markerscale=5)
    edges = np.geomspace(0.02, 1.5, 24)
    x = np.sqrt(edges[1:] * edges[:-1])
    for family, label in enumerate(names):
        profile = surface_brightness(haloes, np.flatnonzero(haloes.family == family), edges)
        axes[1, 2].loglog(x, profile / np.interp(0.3, x, profile), label=label)
    beta = (1.0 + (x / 0.12) ** 2) ** (0.5 - 3.0 * 0.66)
    axes[1, 2].loglog(x, beta / np.interp(0.3, x, beta), "k:", label="beta 0.66, core 0.12 R500")
    axes[1, 2].set(xlabel="R / R500", ylabel="soft surface brightness over that at 0.3 R500")
    axes[1, 2].legend()
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main()
