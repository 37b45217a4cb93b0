"""`clustermass predict`: an estimator and a table of galaxies or clusters in, masses with intervals and flags out."""

from __future__ import annotations

import argparse
import csv
import io
import math
import re
import sys
from pathlib import Path
from typing import Any

from ..errors import DomainError
from . import _options as options
from ._observations import add_maps, read_observations

EXIT_OK = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to predict with, on what, and what the table does not say."""
    parser.epilog = "Example: clustermass predict trained/cnn-2d.safetensors galaxies.csv --redshift 0.023"
    parser.add_argument(
        "estimator", help="name of an estimator with a published calibration, or a file of a fitted one"
    )
    parser.add_argument("clusters", help="table of galaxies (columns of place and of velocity or "
                        "redshift; docs/real-data.md), table of clusters, file of `clustermass catalog` or "
                        "`clustermass maps`, or FITS image of a cluster")  # fmt: skip
    add_maps(parser)
    parser.add_argument("--out", metavar="FILE", help="CSV to write (printed otherwise)")
    parser.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings of a named estimator")
    parser.add_argument("--within-r200", action="store_true", help="use the galaxies within R200c of the estimate "
                        "itself, found by repeating it: for m-sigma, virial and projected masses")  # fmt: skip
    parser.add_argument("--prior", choices=("training", "flat"), default="training", help="of masses, for a learned "
                        "estimator: that of the clusters it was trained on, or flat in log10 mass")  # fmt: skip
    table = parser.add_argument_group("what the table does not say, or says wrongly (docs/real-data.md)")
    table.add_argument("--columns", nargs="+", default=[], metavar="QUANTITY=COLUMN[,UNIT[,MISSING]]",
                       help="columns by name or number; a column - leaves the quantity out")  # fmt: skip
    table.add_argument("--cluster-table", metavar="FILE", help="table of the clusters that the galaxies belong to")
    table.add_argument(
        "--cluster-columns", nargs="+", default=[], metavar="QUANTITY=COLUMN", help="columns of that table"
    )
    table.add_argument("--redshift", metavar="Z", help="of the clusters, where no column has it (else estimated from "
                       "their galaxies)")  # fmt: skip
    table.add_argument("--pixel", metavar="ARCMIN", help="side of a pixel of a FITS image without coordinates (that of "
                       "the network's images)")  # fmt: skip
    table.add_argument("--centre", metavar="WHERE", help="centre of each cluster: given by the table, peak of the "
                       "galaxies, their mean, or RA,DEC in degrees (given, else peak)")  # fmt: skip
    table.add_argument("--members-only", action="store_true", help="only galaxies that the table flags as members")
    table.add_argument("--max-radius", metavar="MPC", help="leave out galaxies beyond, comoving Mpc (no h)")
    table.add_argument("--max-velocity", metavar="KM/S", help="leave out faster galaxies (4000)")
    table.add_argument("--hubble", metavar="H", help="H0 / (100 km/s/Mpc) of distances (0.6766)")
    table.add_argument("--omega-m", metavar="OM", help="matter density of distances (0.30966)")
    table.add_argument("--kind", default="contaminated", choices=("contaminated", "pure"), help="galaxies of a file "
                       "of `clustermass catalog`: all that a survey sees (contaminated), or members alone (pure)"
                       )  # fmt: skip


def execute(args: argparse.Namespace) -> int:
    """Open both, predict, write one row a cluster in the order of the table."""
    estimator = _estimator(args)
    if args.out is not None:
        from ..data.maps_writer import check_free

        check_free(Path(args.out), overwrite=args.overwrite)
    clusters = _clusters(args, estimator)
    posterior = _with_prior(args, estimator, _predict(args, estimator, clusters))
    text = _table(clusters, posterior)
    if args.out is None:
        print(text, end="")
    else:
        from ..data.atomic import atomic_path

        with atomic_path(args.out) as part:
            part.write_text(text)
    n, has = len(posterior), int(sum(math.isfinite(mass) for mass in posterior.log10_mass))
    marked = int(posterior.flagged().sum())
    print(f"clustermass: {estimator.name}: log10 {posterior.mass_definition} [Msun] of {has:,} of {n:,} clusters, "
          f"{marked:,} with flags; {estimator.source}", file=sys.stderr)  # fmt: skip
    return EXIT_OK


def _estimator(args: argparse.Namespace) -> Any:
    from ..models.registry import ESTIMATORS, make_estimator
    from ..models.store import load_estimator

    settings = options.settings(args.set, "--set")
    if Path(args.estimator).is_file():
        if args.estimator.endswith((".h5", ".hdf5")):
            return _released(args.estimator, settings)
        if settings:
            raise DomainError("--set is for estimators by name; a file has its settings")
        return load_estimator(args.estimator)
    made = make_estimator(options.nearest(args.estimator, tuple(ESTIMATORS), "the estimator"), **settings)
    if made.needs_fit:
        raise DomainError(
            f"{args.estimator} must be fitted to clusters of known mass first: give the file of a fitted one"
        )
    return made


def _released(path: str, settings: dict[str, Any]) -> Any:
    """A released network of de Andres et al. 2022; the bin of redshift is in the name of the file, or in --set."""
    from ..training.deepplanck import DeepPlanck

    if unknown := set(settings) - {"redshift_bin"}:
        raise DomainError(f"--set of released weights knows redshift_bin, got {', '.join(sorted(unknown))}")
    named = re.fullmatch(r"bestmodel-([1-4])", Path(path).stem)
    number = settings.get("redshift_bin", int(named[1]) if named else None)
    if number is None:
        raise DomainError(f"{path}: say which bin of redshift it is for: --set redshift_bin=1 ... 4")
    return DeepPlanck.from_released_weights(path, redshift_bin=number)


def _maps(args: argparse.Namespace, estimator: Any) -> Any:
    """A FITS image on the pixels of the network, or a file of `clustermass maps`."""
    from ..data.fits_map import read_fits_map, resampled_map
    from ..data.map_sample import read_map_sample
    from ..data.readers import formats
    from ..units import ARCMIN_RAD

    path, channels = Path(args.clusters), estimator.channels
    if path.is_file() and formats.is_hdf5(str(path)):
        return read_map_sample(path, channels)
    arcmin = _number(args.pixel, "--pixel")
    angle = estimator.pixel_angle if arcmin is None else arcmin * ARCMIN_RAD
    found = read_fits_map(path, channels=channels, pixel_angle=angle, redshift=_number(args.redshift, "--redshift"),
                          cosmology=_cosmology(args))  # fmt: skip
    return resampled_map(found, estimator.image_shape, estimator.pixel_angle)


def _predict(args: argparse.Namespace, estimator: Any, clusters: Any) -> Any:
    from ..data.cluster_sample import ClusterSample
    from ..models.classical.own_aperture import predict_within_r200

    if not args.within_r200:
        return estimator.predict(clusters)
    if "quantities" in estimator.inputs:
        raise DomainError(f"--within-r200 is for estimators that read galaxies, not for {estimator.name}")
    sample = clusters if isinstance(clusters, ClusterSample) else ClusterSample.from_mock(clusters)
    return predict_within_r200(estimator, sample)[0]


def _with_prior(args: argparse.Namespace, estimator: Any, posterior: Any) -> Any:
    if args.prior == "training":
        return posterior
    prior = getattr(estimator, "prior", None)
    if prior is None:
        raise DomainError(f"--prior flat needs the masses that {estimator.name} was trained on, which it does not have")
    return posterior.reweighted(prior)


def _clusters(args: argparse.Namespace, estimator: Any) -> Any:
    from ..data.clusters_file import read_clusters
    from ..data.readers import formats
    from ..features.cluster_tables import read_cluster_table
    from ..features.galaxy_tables import MAX_VELOCITY, read_galaxy_table

    if getattr(getattr(estimator, "preset", None), "inputs", None) == "joint":
        return read_observations(args, estimator.preset)
    if args.maps is not None:
        raise DomainError(f"--maps: {estimator.name} does not see galaxies and maps, got {args.maps}")
    if "maps" in estimator.inputs:
        return _maps(args, estimator)
    columns = options.column_words(args.columns, "--columns")
    path = Path(args.clusters)
    if path.is_file() and formats.is_hdf5(str(path)):
        return read_clusters(path, args.kind)
    cosmology, redshift = _cosmology(args), _number(args.redshift, "--redshift")
    if "quantities" in estimator.inputs:
        hubble = _number(args.hubble, "--hubble")
        return read_cluster_table(path, columns, redshift=redshift, hubble=hubble, cosmology=cosmology)
    speed = _number(args.max_velocity, "--max-velocity")
    about = options.column_words(args.cluster_columns, "--cluster-columns")
    return read_galaxy_table(
        path, columns, clusters=args.cluster_table, cluster_columns=about or None, cluster_redshift=redshift,
        centre=_centre(args.centre), members_only=args.members_only,
        max_radius=_number(args.max_radius, "--max-radius"),
        max_velocity=MAX_VELOCITY if speed is None else speed, cosmology=cosmology,
    )  # fmt: skip


def _cosmology(args: argparse.Namespace) -> Any:
    from ..cosmology import PLANCK_2018, Cosmology

    h, omega_m = _number(args.hubble, "--hubble"), _number(args.omega_m, "--omega-m")
    return Cosmology(PLANCK_2018.h if h is None else h, PLANCK_2018.omega_m if omega_m is None else omega_m)


def _centre(text: str | None) -> Any:
    if text is None or "," not in text:
        return text
    numbers = [options.to_float(part, "--centre") for part in text.split(",")]
    if len(numbers) != 2:
        raise DomainError(f"--centre must be given, peak, mean, or RA,DEC in degrees, got {text!r}")
    return tuple(numbers)


def _number(text: str | None, option: str) -> float | None:
    return None if text is None else options.to_float(text, option)


def _table(clusters: Any, posterior: Any) -> str:
    """CSV: one row a cluster; empty where there is no number."""
    from ..models.base import per_cluster
    from ..models.posterior import FLAGS

    n = len(posterior)
    if hasattr(clusters, "names"):
        names = clusters.names
    else:
        names = [f"{host}:{view}" for host, view in zip(clusters.host_id, clusters.view, strict=True)]
    redshift = per_cluster(clusters.redshift, "redshift", n)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    mass = f"log10_{posterior.mass_definition.lower()}_msun"
    writer.writerow(["cluster", "redshift", "n_galaxies", mass, "lo", "hi", "flags"])
    for k in range(n):
        values = (posterior.log10_mass[k], posterior.lower[k], posterior.upper[k])
        flags = [name for name, bit in FLAGS.items() if posterior.flags[k] & bit]
        numbers = [f"{value:.5f}" if math.isfinite(value) else "" for value in values]
        writer.writerow([names[k], f"{redshift[k]:.6g}", int(clusters.n_galaxies[k]), *numbers, ";".join(flags)])
    return out.getvalue()
