"""The file of finished maps: its layout, and how to read it. `maps_writer` writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError, FileFormatError

if TYPE_CHECKING:
    import h5py

FORMAT = "clustermass maps"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class ChannelRecord:
    """What one channel of a set of maps shows."""

    name: str
    unit: str
    noise_rms: float  #: per pixel, of the noise drawn, in `unit`
    beam_fwhm: float  #: full width at half maximum of the beam [rad]; 0 for none


@dataclass(frozen=True)
class MapSet:
    """A finished file of maps: labels and geometry in memory, images read when asked for.

    Attributes
    ----------
    labels, views : dict of str to ndarray
        One entry per view. `labels` says which cluster (``cluster_id``, ``m200c`` [Msun], ``r200c`` [comoving Mpc]
        and what else the catalogue had; NaN where it has none), `views` how it is seen (``redshift``, ``direction``,
        ``rotation``, ``pixel_size`` ... as in `ViewPlan`).
    pixel_angle : float
        [rad]
    provenance : dict
        Versions, arguments, hashes of the inputs, seed, and the command that makes the file again.
    """

    path: Path
    channels: tuple[ChannelRecord, ...]
    labels: dict[str, NDArray[Any]]
    views: dict[str, NDArray[Any]]
    shape: tuple[int, int, int, int]  #: (view, channel, row, column)
    pixel_angle: float
    provenance: dict[str, Any]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def channel_names(self) -> tuple[str, ...]:
        return tuple(channel.name for channel in self.channels)

    @property
    def images(self) -> NDArray[np.float32]:
        """All images, shape (view, channel, row, column), read from the file at every call."""
        return self.read_images()

    def read_images(self, views: Any = slice(None), channel: str | None = None) -> NDArray[np.float32]:
        """Images of some views (slice, index array or mask), of all channels or of one.

        Returns
        -------
        ndarray of float32, shape (view, channel, row, column) or (view, row, column)
        """
        import h5py

        if channel is not None and channel not in self.channel_names:
            raise DomainError(f"`channel` must be one of {', '.join(self.channel_names)}, got {channel!r}")
        where: Any = slice(None) if channel is None else self.channel_names.index(channel)
        rows = views if isinstance(views, slice) else np.atleast_1d(np.arange(len(self))[views])
        with h5py.File(self.path, "r") as file:
            data = file["images"]
            if isinstance(rows, slice):
                return np.asarray(data[rows, where])
            if rows.size == 0:
                return np.empty((0, *data.shape[1 if channel is None else 2 :]), np.float32)
            unique, back = np.unique(rows, return_inverse=True)  # HDF5 wants rising indices
            return np.asarray(data[unique, where])[back]


def read_maps(path: str | Path) -> MapSet:
    """Open a finished file of maps.

    Parameters
    ----------
    path : str or Path
        What `clustermass maps` or `make_maps` wrote.

    Returns
    -------
    MapSet
        Labels and geometry in memory, images on disk.

    Raises
    ------
    FileNotFoundError
        Also when the maps are begun but not finished; the message says so.
    FileFormatError
        If the file is something else, damaged or not complete.

    Notes
    -----
    Cost: labels and geometry are read at once, about 300 bytes a view; images are read when asked for.

    Examples
    --------
    >>> import clustermass as cm
    >>> snapshot, targets = cm.open_snapshot(cm.datasets.sample_snapshot()), cm.Targets([[76.9, 11.9, 25.3]], [7])
    >>> settings = cm.MapSettings(channels=["gas_mass"], pixels=16, directions=["x", "y"])
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = cm.make_maps(snapshot, targets, f"{folder}/maps.h5", settings)
    ...     maps = cm.read_maps(f"{folder}/maps.h5")
    ...     maps.read_images(0, channel="gas_mass").shape
    (1, 16, 16)
    >>> maps.shape, maps.labels["cluster_id"].tolist()
    ((2, 1, 16, 16), [7, 7])
    """
    import h5py

    path = Path(path)
    if not path.exists():
        begun = path.with_name(path.name + ".partial")
        hint = "; it is begun but not finished: run the same command again to go on" if begun.exists() else ""
        raise FileNotFoundError(f"there is no file {path}{hint}")
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path)
    except (OSError, KeyError, ValueError, TypeError) as exc:
        if isinstance(exc, FileFormatError):
            raise
        raise FileFormatError(f"{path} cannot be read as a file of maps: {exc}") from exc


def _read(file: h5py.File, path: Path) -> MapSet:
    if file.attrs.get("format") != FORMAT:
        raise FileFormatError(f"{path} is not a file of maps: attribute `format` is {file.attrs.get('format')!r}")
    if int(file.attrs["format_version"]) > FORMAT_VERSION:
        raise FileFormatError(
            f"{path} has format version {file.attrs['format_version']}, this clustermass reads up to {FORMAT_VERSION}"
        )
    if not bool(file.attrs.get("complete", False)):
        raise FileFormatError(f"{path} is not complete: its writing was interrupted; make it again")
    table = file["channels"]
    columns = zip(table["name"].asstr()[:], table["unit"].asstr()[:], table["noise_rms"][:], table["beam_fwhm"][:],
                  strict=True)  # fmt: skip
    channels = tuple(ChannelRecord(str(n), str(u), float(s), float(b)) for n, u, s, b in columns)
    shape = file["images"].shape
    labels = {name: np.asarray(data[:]) for name, data in file["labels"].items()}
    views = {name: np.asarray(data[:]) for name, data in file["views"].items()}
    if len(shape) != 4 or shape[1] != len(channels):
        raise FileFormatError(f"{path}: `images` has shape {shape}, which does not fit {len(channels)} channels")
    for name, column in (labels | views).items():
        if len(column) != shape[0]:
            raise FileFormatError(f"{path}: `{name}` has {len(column)} entries for {shape[0]} views")
    return MapSet(
        path=path,
        channels=channels,
        labels=labels,
        views=views,
        shape=(shape[0], shape[1], shape[2], shape[3]),
        pixel_angle=float(file.attrs["pixel_angle"]),
        provenance=json.loads(file.attrs["provenance"]),
    )


@dataclass(frozen=True)
class MapsHeader:
    """Everything of a file of maps but the images."""

    channels: tuple[ChannelRecord, ...]
    labels: Mapping[str, NDArray[Any]]
    views: Mapping[str, NDArray[Any]]
    shape: tuple[int, int, int, int]
    pixel_angle: float
    provenance: Mapping[str, Any]


def write_header(file: h5py.File, header: MapsHeader) -> h5py.Dataset:
    """Lay out a file: write `header`, mark the file as not complete, return the empty image dataset."""
    file.attrs["format"] = FORMAT
    file.attrs["format_version"] = FORMAT_VERSION
    file.attrs["complete"] = False
    file.attrs["pixel_angle"] = header.pixel_angle
    file.attrs["provenance"] = json.dumps(header.provenance, indent=1, sort_keys=True)
    for group, table in (("labels", header.labels), ("views", header.views)):
        for name, column in table.items():
            _write_column(file, f"{group}/{name}", column)
    for field in ("name", "unit"):
        file.create_dataset(f"channels/{field}", data=[getattr(c, field) for c in header.channels])
    for field in ("noise_rms", "beam_fwhm"):
        _write_column(file, f"channels/{field}", np.array([getattr(c, field) for c in header.channels]))
    return image_dataset(file, header.shape)


def image_dataset(file: h5py.File, shape: tuple[int, int, int, int]) -> h5py.Dataset:
    """An empty, checksummed image dataset; one chunk holds the channels of one view.

    Not compressed: images with noise do not shrink.
    """
    data = file.create_dataset("images", shape, np.float32, chunks=(1, *shape[1:]), fletcher32=True)
    data.attrs["axes"] = "view, channel, row, column"
    return data


def _write_column(file: h5py.File, name: str, column: NDArray[Any]) -> None:
    column = np.asarray(column)
    file.create_dataset(name, data=column, chunks=column.shape, fletcher32=True)
