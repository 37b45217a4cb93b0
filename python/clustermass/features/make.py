"""Make a file of maps: every batch once, also when the run is stopped and started again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, _backend
from .. import _validate as check
from ..data.maps_file import ChannelRecord, MapSet, MapsHeader, read_maps
from ..data.maps_writer import MapsWriter, check_free
from ..data.provenance import hash_files, versions
from .maps import MapJob, MapSettings, plan_maps
from .targets import Targets

Tell = Callable[[str], None]


def make_maps(
    snapshot: Any,
    targets: Targets,
    out: str | Path,
    settings: MapSettings | None = None,
    *,
    n_threads: int = 1,
    overwrite: bool = False,
) -> MapSet:
    """Make observed maps of clusters in a simulation snapshot and write them to a file.

    Every cluster is seen along several lines of sight, put at a redshift of 0.03 to 0.07, and mapped in stars, X-rays
    and Compton y with noise and beam, as in Yan et al. 2020 [1]_; `MapSettings` changes any of it.

    Parameters
    ----------
    snapshot : Snapshot
        From `open_snapshot`.
    targets : Targets
        Which clusters: `targets_from_groups(open_groups(path), min_mass=1e13)`, or `Targets` made by hand.
    out : str or Path
        The HDF5 file to make. Until all is done only ``<out>.partial`` exists; calling again goes on from there.
    settings : MapSettings, optional
        What maps; those of Yan et al. 2020 by default.
    n_threads : int
        Threads of the projection; they change no bit of the result.
    overwrite : bool
        Replace an `out` that exists, at the very end.

    Returns
    -------
    MapSet
        The finished file.

    Raises
    ------
    FileExistsError
        If `out` exists and `overwrite` is false; nothing has been done then.
    MissingFieldError, DomainError, BadInputError, OSError

    Notes
    -----
    Determinism: images and labels are equal to the bit for any `n_threads` and however often the run was stopped.

    References
    ----------
    .. [1] Yan et al. 2020, MNRAS 499, 3445 (arXiv 2005.11819), section 2.2.

    Examples
    --------
    >>> import tempfile
    >>> import clustermass as cm
    >>> snapshot = cm.open_snapshot(cm.datasets.sample_snapshot())
    >>> clusters = cm.targets_from_groups(cm.open_groups(cm.datasets.sample_groups()), min_mass=1e14)
    >>> settings = cm.MapSettings(channels=["xray_soft", "compton_y"], pixels=60, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     maps = make_maps(snapshot, clusters, f"{folder}/maps.h5", settings)
    ...     maps.images.shape
    (12, 2, 60, 60)
    """
    check_free(Path(out), overwrite=overwrite)
    job = plan_maps(snapshot, targets, settings, n_threads=check.threads(n_threads))
    inputs = hash_files(getattr(snapshot, "paths", ()))
    return write_maps(job, out, inputs=inputs, n_threads=n_threads, overwrite=overwrite)


def write_maps(
    job: MapJob,
    out: str | Path,
    *,
    inputs: list[dict[str, Any]],
    n_threads: int,
    overwrite: bool = False,
    command: str | None = None,
    tell: Tell | None = None,
    progress: Callable[[int], None] | None = None,
) -> MapSet:
    """Run a planned job and write its file, going on with an unfinished run of the same plan.

    Parameters
    ----------
    job : MapJob
        From `plan_maps`.
    out : str or Path
        The HDF5 file to make.
    inputs : list of dict
        Records of the input files from `hash_files`; another hash means another plan.
    n_threads : int
        Threads of the projection.
    overwrite : bool
        Replace an `out` that exists, at the very end.
    command : str, optional
        What makes the file again, for the provenance.
    tell : callable, optional
        Gets a sentence when an unfinished run is found.
    progress : callable, optional
        Gets the number of (particle, batch) pairs done.
    """
    out = Path(out)
    batches = job.batches
    writer = MapsWriter(out, plan_record(job, inputs), [last - first for first, last in batches], overwrite=overwrite)
    with writer:
        if writer.message and tell is not None:
            tell(writer.message)
        if progress is not None:
            progress((len(batches) - len(writer.missing)) * job.source.n_particles)
        for number in list(writer.missing):
            writer.save(number, job.images(batches[number], n_threads=n_threads, progress=progress))
        writer.finish(header_of(job, provenance(job, inputs, command)))
    return read_maps(out)


def plan_record(job: MapJob, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything that decides what the images are, as JSON can hold it."""
    geometry = hashlib.sha256()
    for name in ("cluster_id", "number", "centre", "rotation", "redshift", "pixel_size"):
        geometry.update(np.ascontiguousarray(getattr(job.views, name)).tobytes())
    for name, column in sorted(job.labels.items()):
        geometry.update(name.encode() + np.ascontiguousarray(column).tobytes())
    return {
        "clustermass version": __version__,
        "input files": inputs,
        "settings": job.settings.record(),
        "channels": [channel.name for channel in job.channels],
        "clusters and views": geometry.hexdigest(),
        "batches": job.batches,
    }


def provenance(job: MapJob, inputs: list[dict[str, Any]], command: str | None) -> dict[str, Any]:
    """Where the maps came from."""
    return {
        "versions": versions(),
        "backend": _backend.name_of(_backend.resolve("auto", "views")),
        "inputs": inputs,
        "settings": job.settings.record(),
        "cosmology": asdict(job.cosmology),
        "assignment": dict(job.projection.assignment),
        "depth": job.projection.depth,
        "sides of the coarse grids for wide kernels": list(job.projection.sides[1:]),
        "notes": list(job.notes),
        "command": command,
    }


def header_of(job: MapJob, record: Mapping[str, Any]) -> MapsHeader:
    """Labels, geometry, channels and provenance of a job."""
    views = {f.name: getattr(job.views, f.name) for f in fields(job.views) if f.name not in ("target", "cluster_id")}
    channels = tuple(
        ChannelRecord(c.name, c.unit, o.noise, o.beam_fwhm * job.settings.pixel_angle)
        for c, o in zip(job.channels, job.observations, strict=True)
    )
    return MapsHeader(channels, job.labels, views, job.shape, job.settings.pixel_angle, record)
