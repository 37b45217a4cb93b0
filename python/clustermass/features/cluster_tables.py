"""Tables of measurements of whole clusters, in one row each, into a `ClusterSample`."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..cosmology import PLANCK_2018, Cosmology
from ..data.cluster_sample import ClusterSample
from ..data.readers.catalogues import Catalogue
from ..errors import BadInputError, DataWarning, MissingFieldError
from . import sky
from .table_columns import CLUSTER_NAMES, open_with_names

FloatArray = NDArray[np.float64]


def read_cluster_table(
    path: str | os.PathLike[str],
    columns: Any = None,
    *,
    true_mass: str | None = None,
    redshift: float | None = None,
    hubble: float | None = None,
    cosmology: Cosmology = PLANCK_2018,
) -> ClusterSample:
    """Measurements of whole clusters from a table of any format that `open_catalogue` reads: no galaxies.

    Parameters
    ----------
    path : str or path
        One row a cluster (or a folder of .npy).
    columns : dict, optional
        Column map: `names`, `redshift`, and the quantities wanted, under names of your own if need be. `y_500` [Mpc^2]
        and `l_x` [erg/s] are what the published relations read. ``y_5r500_arcmin2`` [arcmin^2], the apparent flux
        within 5 R500, gives `y_500` by the universal profile (Arnaud et al. 2010: 1.796 times that within R500), and
        its ``_error`` that of `y_500`.
    true_mass : str, optional
        Quantity that is the true M200c [Msun] (simulations), to be `log10_m200c`.
    redshift : float, optional
        Of all clusters, where no column has it.
    hubble : float, optional
        H0 / (100 km/s/Mpc), where units of the table have h. Default: that of `cosmology`.
    cosmology : Cosmology
        Of distances.

    Returns
    -------
    ClusterSample
        With `quantities`; rows without a redshift are left out.

    Raises
    ------
    FileNotFoundError, FileFormatError, MissingFieldError, BadInputError, DomainError

    Warns
    -----
    DataWarning
        If rows were left out.

    Examples
    --------
    >>> import pathlib
    >>> _ = pathlib.Path("sz.csv").write_text("name,z,Y\\nA,0.1,2e-4\\nB,0.2,3e-5\\n")
    >>> sample = read_cluster_table("sz.csv", {"y_500": "Y"})
    >>> sample.names.tolist(), sample.quantities["y_500"].tolist()
    (['A', 'B'], [0.0002, 3e-05])
    """
    arguments = {"hubble": cosmology.h if hubble is None else hubble, "redshift": redshift}
    named = open_with_names(path, columns, CLUSTER_NAMES, **arguments)
    table, notes = named.catalogue, named.notes
    names = names_of(table)
    z = redshifts_of(table, redshift, len(names), str(path))
    good = np.isfinite(z)
    if not good.all():
        notes.append(f"{int((~good).sum()):,} of {good.size:,} clusters have no redshift and are left out")
    quantities = {name: values[good] for name, values in quantities_of(table).items()}
    if "y_5r500_arcmin2" in quantities and "y_500" not in quantities:
        for end in ("", "_error"):
            if (apparent := quantities.get(f"y_5r500_arcmin2{end}")) is not None:
                quantities[f"y_500{end}"] = sky.compton_area(apparent, z[good], cosmology)
    mass = None
    if true_mass is not None:
        if true_mass not in quantities:
            raise MissingFieldError(f"{path}: `true_mass` must be one of {sorted(quantities)}, got {true_mass!r}")
        with np.errstate(divide="ignore", invalid="ignore"):
            mass = np.log10(quantities[true_mass])
    for note in notes:
        warnings.warn(f"{path}: {note}", DataWarning, stacklevel=2)
    n = int(good.sum())
    none = np.zeros(0)
    return ClusterSample(
        names=names[good], offsets=np.zeros(n + 1, np.int64), x=none, y=none, velocity=none, redshift=z[good],
        cosmology=cosmology, max_radius=np.zeros(n), max_velocity=np.zeros(n), quantities=quantities,
        log10_m200c=mass, source=str(path),
    )  # fmt: skip


def names_of(table: Catalogue) -> NDArray[Any]:
    """Names of clusters: the column of names, else of identifiers, else 0, 1, 2..."""
    for name in ("names", "ids"):
        if name in table:
            return labels_of(table[name])
    return np.arange(len(table)).astype(np.str_)


def labels_of(values: NDArray[Any]) -> NDArray[Any]:
    """As text; whole numbers without a point. Text such as 00007 stays what it is."""
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.round(values)).all():
        values = values.astype(np.int64)
    return np.char.strip(values.astype(np.str_))


def redshifts_of(table: Catalogue, redshift: float | None, n: int, path: str) -> FloatArray:
    """Redshifts of a table of clusters, NaN where it has none; or the one of all."""
    if "redshift" in table:
        z = np.asarray(table["redshift"], np.float64)
    elif redshift is not None:
        z = np.full(n, check.number(redshift, "redshift", low=0))
    else:
        raise MissingFieldError(f"{path}: clusters need a column `redshift`, or the argument")
    if (z < 0).any():
        raise BadInputError(f"{path}: `redshift` must not be negative, got {z[z < 0][0]:g} (mark of a missing value? "
                            f"say it in the column map: missing)")  # fmt: skip
    return z


def quantities_of(table: Catalogue) -> dict[str, FloatArray]:
    """All columns of one number a cluster that the map names, but its place."""
    taken = ("names", "ids", "clusters", "redshift", "ra", "dec", "positions", "velocities")
    held = (info.name for info in table.columns if info.name not in taken)
    read = {name: table[name] for name in held}
    return {name: np.asarray(v, np.float64) for name, v in read.items() if v.ndim == 1 and v.dtype.kind in "iufb"}
