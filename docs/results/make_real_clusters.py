"""Masses of real clusters, and of a simulated box, by every estimator: real_clusters.csv, its summary and figure.

    python docs/results/make_real_clusters.py FOLDER [--mock clusters.hdf5] [--models a.safetensors b.safetensors]

FOLDER holds the public files that docs/real-data.md names, each in a folder of its own; what is not there is left out.
Estimators that learn are fitted to the observations of --mock (`clustermass catalog`), or left out. Networks on
galaxies come from --models (files of `clustermass train`); real_networks.csv has their flags, real_eight.csv the eight
clusters of Kodi Ramanah et al. 2020. With --only-models nothing else runs, and rows of others stay as they were.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import warnings
from pathlib import Path

import numpy as np
from real_figure import draw
from real_networks import HEADER as NETWORK_HEADER
from real_networks import Network, eight, read_networks

import clustermass as cm
from clustermass.cosmology import Cosmology
from clustermass.data.cluster_sample import ClusterSample
from clustermass.models.classical.luminosity_mass import core_excised_luminosity
from clustermass.models.classical.own_aperture import predict_within_r200
from clustermass.models.registry import ESTIMATORS
from clustermass.nfw import convert_mass

HERE = Path(__file__).parent
HEADER = ("cluster", "estimator", "log10_m200c_msun", "lo", "hi", "literature", "source")
#: of which the mass is that of the galaxies within its own R200c; other methods model the profile and take all
WITHIN_R200 = ("m-sigma-", "virial", "projected-mass")
GALAXIES = {"velocities", "radii", "sky_positions", "redshift"}
SPLUS = {
    "ra": (1, "deg"), "dec": (2, "deg"), "redshift": 15, "projected_radius": (20, "physical Mpc"),
    "velocity": (21, "km/s"), "velocity_error": (18, "km/s"), "is_interloper": 22, "cluster_redshift": 38,
    "clusters": 39,
}  # fmt: skip
SPLUS_CLUSTERS = {
    "names": "id", "m200c": ("M200", "1e14 Msun"), "velocity_dispersion": ("Vdisp", "km/s"), "n_members": "Nmemb",
}  # fmt: skip
PSZ2 = {
    "names": "NAME", "redshift": cm.CatalogueColumn("REDSHIFT", missing=(-1.0,)),
    "m500c": cm.CatalogueColumn("MSZ", missing=(0.0,)), "y_5r500_arcmin2": ("Y5R500", "1e-3"),
    "y_5r500_arcmin2_error": ("Y5R500_ERR", "1e-3"),
    "right_ascension": ("RA", "deg"), "declination": ("DEC", "deg"),
}  # fmt: skip
SKY = {"right_ascension": ("RA", "deg"), "declination": ("DEC", "deg")}
CHANCES = {
    "names": "name", "m200c": ("m200", "1e14 Msun"), "right_ascension": ("hms", "hh:mm:ss"),
    "declination": ("dms", "dd:mm:ss"),
}  # fmt: skip


def estimators(mock: str | None, train: int, without: list[str]) -> dict[str, object]:
    """Every classical estimator and support machine that reads galaxies; those that learn only with a mock."""
    found = {}
    for name in sorted(set(ESTIMATORS) - set(without)):
        if not ESTIMATORS[name][0].startswith(("classical.", "support.")):
            continue  # networks learn too long for this
        made = cm.make_estimator(name, **settings_of(name))
        if not set(made.inputs) <= GALAXIES:
            continue
        if made.needs_fit:
            if mock is None:
                continue
            clusters = cm.read_clusters(mock)
            rows = np.random.Generator(np.random.Philox(1)).permutation(np.flatnonzero(clusters.is_flat))
            made = made.fit(clusters.only(np.sort(rows[:train])))
        found[name] = made
    return found


def settings_of(name):
    """Interlopers are taken out where an estimator offers it."""
    if not name.startswith(WITHIN_R200):
        return {}
    return {"interlopers": "shifting_gapper"} | ({"clip": 3.0} if name.startswith("m-sigma-") else {})


def rows_of(clusters, estimator, name, posterior, literature, source):
    """Rows of the table: M500c as M200c of an NFW halo; clusters without an estimate stay, with an empty mass."""
    values = [posterior.log10_mass, posterior.lower, posterior.upper]
    if posterior.mass_definition == "M500c":
        values = [np.log10(convert_mass(10.0**v, 500.0, 200.0, clusters.cosmology, clusters.redshift)) for v in values]
    columns = zip(clusters.names, *values, np.broadcast_to(literature, len(clusters)), posterior.flagged(), strict=True)
    return [(str(cluster), name, *numbers, source, flagged) for cluster, *numbers, flagged in columns]


def by_galaxies(clusters, models, literature, source):
    """Rows of all estimators that read galaxies, for one sample."""
    rows = []
    for name, estimator in models.items():
        if isinstance(estimator, Network):
            rows += rows_of(clusters, estimator, name, estimator.predict(clusters), literature, source)
            continue
        if name.startswith(WITHIN_R200):
            posterior, _ = predict_within_r200(estimator, clusters)
        else:
            posterior = estimator.predict(in_cylinder(clusters) if estimator.needs_fit else clusters)
        rows += rows_of(clusters, estimator, name, posterior, literature, source)
    return rows


def in_cylinder(clusters):
    """The galaxies that estimators see in training: 1.6 Mpc/h and 2200 km/s, as in Ho et al. 2019."""
    reach = 1.6 / clusters.cosmology.h
    keep = (clusters.radius <= reach) & (np.abs(clusters.velocity) <= 2200.0)
    n = len(clusters)
    kept = clusters.keep_galaxies(keep)
    return ClusterSample(**{**vars(kept), "max_radius": np.full(n, reach), "max_velocity": np.full(n, 2200.0)})


def coma(folder, models):
    sample = cm.read_galaxy_table(
        folder / "coma-sdss-dr20/coma_sample.txt", {"projected_radius": ("dproj", "physical Mpc")}
    )
    sample = ClusterSample(**{**vars(sample), "names": np.array(["Coma"])})
    # Sohn et al. 2017, caustics; the literature spans 0.53 to 1.88e15 Msun
    return by_galaxies(sample, models, np.log10(1.29e15), "coma-sdss-dr20")


def splus(folder, models):
    base = folder / "splus-128-clusters"
    sample = cm.read_galaxy_table(base / "galaxies_spec_r200.dat", SPLUS, clusters=base / "clusters128.dat",
                                  cluster_columns=SPLUS_CLUSTERS, members_only=True)  # fmt: skip
    write_dispersions(sample)
    rich = sample.only(sample.n_galaxies >= 10)
    rows = []
    everything = cm.read_galaxy_table(base / "galaxies_spec_r200.dat", SPLUS, clusters=base / "clusters128.dat",
                                      cluster_columns=SPLUS_CLUSTERS)  # fmt: skip
    for name, estimator in models.items():  # members are flagged within R200: nothing to look for
        if isinstance(estimator, Network):  # they know interlopers, but not that the table ends at R200
            part = everything.only(sample.n_galaxies >= 10)
            rows += rows_of(part, estimator, name, estimator.predict(part), np.log10(part.quantities["m200c"]),
                            "splus-128-clusters")  # fmt: skip
            continue
        if estimator.needs_fit:
            continue  # they have learned to live with interlopers, which are gone here
        rows += rows_of(rich, estimator, name, estimator.predict(rich), np.log10(rich.quantities["m200c"]),
                        "splus-128-clusters")  # fmt: skip
    return rows


def write_dispersions(sample):
    """real_dispersions.csv: the standard deviation of flagged members, n - 1.5, beside the catalogue's sigma."""
    found = cm.velocity_dispersions(sample.velocity, sample.offsets, velocity_error=sample.velocity_error)
    n = sample.n_galaxies
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = found.sigma * np.sqrt((n - 1) / (n - 1.5))
    theirs, members = sample.quantities["velocity_dispersion"], sample.quantities["n_members"].astype(int)
    header = ("cluster", "n_in_table", "n_in_catalogue", "sigma_km_s", "catalogue_km_s", "ratio")
    made = []
    for k in np.flatnonzero(n >= 5):
        numbers = f"{sigma[k]:.2f}", f"{theirs[k]:.2f}", f"{sigma[k] / theirs[k]:.4f}"
        made.append((sample.names[k], n[k], members[k], *numbers))
    write_csv("real_dispersions.csv", header, made)


def planck(folder, models):
    sample = cm.read_cluster_table(folder / "planck-psz2/HFI_PCCS_SZ-union_R2.08.fits", PSZ2)
    hydrostatic = np.log10(convert_mass(sample.quantities["m500c"], 500, 200, sample.cosmology, sample.redshift))
    model = cm.make_estimator("y-m", one_minus_b=1.0)
    rows = rows_of(sample, model, "y-m (1-b = 1)", model.predict(sample), hydrostatic, "planck-psz2")
    unbiased = cm.make_estimator("y-m")
    for name, file, columns in (
        ("literature-masses-chances", "Sifon25_chances_lowz.csv", CHANCES),
        ("sdss-yang-clusters", "groupCatalog_Yang_deCarvalho2017.csv", SKY | {"m200c": ("logM200", "log10 Msun")}),
    ):
        place = folder / ("sdss-yang-clusters-and-tng300-masses" if "yang" in name else name) / file
        if place.is_file():
            known = cm.read_cluster_table(place, columns)
            theirs, mine = matched(known, sample)
            part = sample.only(mine)
            part = ClusterSample(**{**vars(part), "names": known.names[theirs]})
            rows += rows_of(part, unbiased, "y-m (1-b = 0.8)", unbiased.predict(part),
                            np.log10(known.quantities["m200c"][theirs]), name)  # fmt: skip
    return rows


def matched(one, other, arcmin=8.0, velocity=1500.0):
    """Rows of two samples that are one cluster: nearest on the sky within 8 arcmin, 1500 km/s."""
    from clustermass.features.sky import unit_vectors

    a, b = (unit_vectors(s.quantities["right_ascension"], s.quantities["declination"]) for s in (one, other))
    angle = np.degrees(np.arccos(np.clip(a @ b.T, -1, 1))) * 60
    apart = 299792.458 * np.abs(one.redshift[:, None] - other.redshift) / (1 + other.redshift)
    angle[apart > velocity] = np.inf
    nearest = angle.argmin(axis=1)
    close = np.flatnonzero(angle[np.arange(len(one)), nearest] < arcmin)
    return close, nearest[close]


def deepplanck(folder, models):
    # its own Y_500 is the mass of the network put through a relation (they agree to 0.0025 dex): Y of PSZ2 instead
    networks = cm.read_cluster_table(
        folder / "deepplanck/DeepPlanck.csv", {"names": "cluster", "m500c": ("CNN_mass", "log10 Msun")}
    )
    sample = cm.read_cluster_table(folder / "planck-psz2/HFI_PCCS_SZ-union_R2.08.fits", PSZ2)
    pairs = zip(networks.names, networks.quantities["m500c"], strict=True)
    known = {name.removesuffix(".fits"): mass for name, mass in pairs}
    mass = np.array([known.get(name.replace(" ", ""), np.nan) for name in sample.names])
    sample, mass = sample.only(np.isfinite(mass)), mass[np.isfinite(mass)]
    literature = np.log10(convert_mass(mass, 500, 200, sample.cosmology, sample.redshift))
    model = cm.make_estimator("y-m")
    return rows_of(sample, model, "y-m (1-b = 0.8)", model.predict(sample), literature, "deepplanck")


def mtng(folder, models):
    columns = {"m200c": ("M200c", "1e10 Msun/h"), "compton_y": "Y200c", "temperature": ("T500c", "K")}
    sample = cm.read_cluster_table(folder / "mtng-clusters-z0", columns, redshift=0.0, true_mass="m200c",
                                   cosmology=Cosmology(h=0.6774, omega_m=0.3089))  # fmt: skip
    heaviest = sample.only(np.argsort(-sample.log10_m200c)[:400])
    rest = heaviest.only(slice(1, None, 2))
    rows = []
    for quantity in ("compton_y", "temperature"):
        model = cm.make_estimator("scaling-relation", quantity=quantity, evolution=0.0).fit(
            heaviest.only(slice(0, None, 2))
        )
        rows += rows_of(rest, model, f"scaling-relation ({quantity})", model.predict(rest), rest.log10_m200c,
                        "mtng-clusters-z0")  # fmt: skip
    return rows


def gadget4(folder, models):
    base = folder / "gadget4-hydro-80"
    files = {"input": base / "fof_subhalo_tab_000.0.hdf5", "snapshot": base / "snapshot_000.0.hdf5"}
    universe, _ = cm.open_universe(files["input"], snapshot=files["snapshot"], seed=1)
    settings = cm.ClusterSettings(cut="large", min_log10_mass=13.8, max_views=3, seed=1)
    with tempfile.TemporaryDirectory() as scratch:
        clusters = cm.make_cluster_catalogue(universe, Path(scratch) / "clusters.hdf5", settings)
    sample = ClusterSample.from_mock(clusters)
    rows = by_galaxies(sample, models, sample.log10_m200c, "gadget4-hydro-80")
    gas = gas_sample(files)
    model = cm.make_estimator("y-m", one_minus_b=1.0)
    rows += rows_of(gas, model, "y-m (1-b = 1)", model.predict(gas), gas.log10_m200c, "gadget4-hydro-80")
    odd, even = gas.only(slice(1, None, 2)), gas.only(slice(0, None, 2))
    for quantity in ("l_x_core_excised", "l_x_with_core", "y_500"):
        for train, test in ((odd, even), (even, odd)):
            fitted = cm.make_estimator("scaling-relation", quantity=quantity, evolution=0.0).fit(train)
            rows += rows_of(test, fitted, f"scaling-relation ({quantity})", fitted.predict(test), test.log10_m200c,
                            "gadget4-hydro-80")  # fmt: skip
    return rows


def gas_sample(files):
    """Y500 and bolometric luminosities of the groups above 3e13 Msun/h, from their gas in spheres."""
    from scipy.spatial import cKDTree

    snapshot, groups = cm.open_snapshot(files["snapshot"]), cm.open_groups(files["input"])
    head = snapshot.header
    fields = ("positions", "masses", "internal_energy", "electron_abundance", "density", "star_formation_rate")
    gas = snapshot.read("gas", fields)
    hot = gas["star_formation_rate"] == 0
    gas = {name: values[hot] for name, values in gas.items()}
    temperature = cm.gas_temperature(gas["internal_energy"], gas["electron_abundance"])
    upsilon = cm.compton_upsilon(gas["masses"], temperature, gas["electron_abundance"])
    light = cm.bremsstrahlung_luminosity(
        gas["masses"], gas["density"], temperature, gas["electron_abundance"], scale_factor=1 / (1 + head.redshift)
    )
    rows = np.flatnonzero(groups.m200c * head.h > 3e13)
    tree = cKDTree(np.mod(gas["positions"], head.box_size), boxsize=head.box_size)
    inside = tree.query_ball_point(np.mod(groups.positions[rows], head.box_size), groups.r500c[rows])
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in inside])]).astype(np.int64)
    item, owner = np.concatenate(inside).astype(int), np.repeat(rows, np.diff(offsets))
    away = np.abs(gas["positions"][item] - groups.positions[owner])
    radius = np.linalg.norm(np.minimum(away, head.box_size - away), axis=1)
    n, none = rows.size, np.zeros(0)
    r500 = groups.r500c[rows].astype(float)
    quantities = {
        "y_500": np.add.reduceat(upsilon[item], offsets[:-1]),
        "l_x_core_excised": core_excised_luminosity(radius, light[item], offsets, r500),
        "l_x_with_core": core_excised_luminosity(radius, light[item], offsets, r500, inner=0.0),
    }
    return ClusterSample(
        names=[f"{k}" for k in rows], offsets=np.zeros(n + 1, np.int64), x=none, y=none, velocity=none,
        redshift=np.full(n, head.redshift), cosmology=Cosmology(head.h, head.omega_m), max_radius=np.zeros(n),
        max_velocity=np.zeros(n), quantities=quantities, log10_m200c=np.log10(groups.m200c[rows].astype(float)),
    )  # fmt: skip


SETS = {
    "coma-sdss-dr20": coma, "splus-128-clusters": splus, "planck-psz2": planck, "deepplanck": deepplanck,
    "mtng-clusters-z0": mtng, "gadget4-hydro-80": gadget4,
}  # fmt: skip
SOURCES = ["coma-sdss-dr20", "splus-128-clusters", "planck-psz2", "literature-masses-chances", "sdss-yang-clusters",
           "deepplanck", "mtng-clusters-z0", "gadget4-hydro-80"]  #: as they stand in the tables  # fmt: skip


def write_csv(name, header, rows):
    with open(HERE / name, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def summary(rows, kept=()):
    """real_summary.csv: epsilon = log10(M_pred / M_literature) of each estimator on each set, and rows kept."""
    made = list(kept)
    for source, name in dict.fromkeys((row[6], row[1]) for row in rows):
        part = np.array([row[2:6] for row in rows if (row[6], row[1]) == (source, name)], float)
        has = np.isfinite(part[:, [0, 3]]).all(axis=1)
        epsilon = part[has, 0] - part[has, 3]
        covered = ((part[has, 1] <= part[has, 3]) & (part[has, 3] <= part[has, 2])).mean() if has.any() else np.nan
        flagged = sum(bool(row[7]) for row in rows if (row[6], row[1]) == (source, name))
        numbers = (np.median(epsilon), epsilon.mean(), epsilon.std(), covered) if has.any() else (np.nan,) * 4
        made.append((source, name, len(part), int(has.sum()), flagged, *(f"{value:.4f}" for value in numbers)))
    header = ("source", "estimator", "n_clusters", "n_with_estimate", "n_flagged", "median_epsilon_dex",
              "mean_epsilon_dex", "sigma_epsilon_dex", "share_in_interval")  # fmt: skip
    made.sort(key=lambda row: SOURCES.index(row[0]))
    write_csv("real_summary.csv", header, made)
    for row in made:
        print("{:26s} {:34s} {:>5} {:>5} {:>5} {:>8s} {:>8s} {:>8s} {:>8s}".format(*row))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mock", help="observations that estimators learn from")
    parser.add_argument("--train", type=int, default=300, help="of them, at most so many (300)")
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME", help="estimators to leave out")
    parser.add_argument("--models", nargs="*", default=[], metavar="FILE", help="trained networks on galaxies")
    parser.add_argument("--only-models", action="store_true", help="run them alone and keep the other rows")
    args = parser.parse_args()
    nets = read_networks(args.models)
    models = nets if args.only_models else estimators(args.mock, args.train, args.without) | nets
    rows, old, kept = [], [], []
    for name, make in SETS.items():
        if (args.folder / name).is_dir() and (not args.only_models or make in (coma, splus, gadget4)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", cm.errors.DataWarning)
                rows += make(args.folder, models)
    if args.only_models:
        rows = [row for row in rows if row[1] in nets]
        old = [parsed(row) for row in read_csv("real_clusters.csv") if row[1] not in nets]
        kept = [row for row in read_csv("real_summary.csv") if row[1] not in nets]
    every = sorted(old + rows, key=lambda row: SOURCES.index(row[6]))
    text = [(c, e, *("" if not np.isfinite(v) else f"{v:.4f}" for v in numbers), s) for c, e, *numbers, s, _ in every]
    write_csv("real_clusters.csv", HEADER, text)
    summary(rows, kept)
    if nets:
        write_csv("real_networks.csv", NETWORK_HEADER, [line for net in nets.values() for line in net.lines(rows)])
        write_csv("real_eight.csv", *eight(rows, nets))
    draw(every, nets)


def read_csv(name):
    """Rows of a table of this folder, without its header."""
    with open(HERE / name) as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def parsed(row):
    """A row of real_clusters.csv as it was before it was written, but for its flag."""
    return (*row[:2], *(float(value) if value else np.nan for value in row[2:6]), row[6], False)


if __name__ == "__main__":
    main()
