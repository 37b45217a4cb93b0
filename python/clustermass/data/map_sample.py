"""Maps of clusters in memory: what estimators read of an image, with labels and sides of the cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..cosmology import Cosmology
from ..errors import ArrayError, DomainError, MissingFieldError
from .maps_file import MapSet, read_maps
from .splits import assign_folds, assign_splits

CACHED_PIXELS = 300_000  #: of images that go through a network together on a CPU, so that its caches hold their layers
_SHARED = ("channels", "pixel_angle", "cosmology", "is_ideal", "source")


@dataclass(frozen=True)
class MapSample:
    """Maps of n clusters, or of n views of clusters: one row an image.

    Attributes
    ----------
    images : (n, channel, row, column) float32
    channels : tuple of str
        Names as in `CHANNELS`.
    pixel_angle : float
        Side of a pixel [rad].
    redshift : (n,) float64
    cosmology : Cosmology
    host_id, view : (n,) int64
        Number of the cluster, which all its views share, and of the view.
    log10_m200c, log10_m500c : (n,) float64, or None
        log10 of the true masses in Msun (no h); NaN where one is not known.
    fold, split : (n,) int64
        0 to 9: rank of the host by mass, modulo 10; 0 training, 1 validation, 2 test. By host, never by view.
    is_test, is_flat : (n,) bool
        Rows that test, and rows that train.
    line_of_sight : (n, 3) float64, or None
        Unit vector from the observer to the cluster, in the box.
    is_ideal : bool
        Whether no telescope has seen them: no noise, no beam. Estimators observe ideal maps before they learn.
    source : str

    Raises
    ------
    ArrayError, DomainError, BadInputError
        For shapes that do not fit, a value that is not finite, a redshift not above zero.

    Examples
    --------
    >>> sample = MapSample(
    ...     np.zeros((2, 1, 8, 8)), ("compton_y",), 3e-4, [0.1, 0.2], Cosmology(h=0.7, omega_m=0.3), host_id=[3, 4],
    ...     view=[0, 0], log10_m500c=[14.1, 14.6],
    ... )
    >>> len(sample), sample.only([1]).host_id.tolist(), sample.select(["compton_y"]).shape
    (2, [4], (2, 1, 8, 8))
    """

    kind: ClassVar[str] = "maps"

    images: NDArray[np.float32]
    channels: tuple[str, ...]
    pixel_angle: float
    redshift: NDArray[np.float64]
    cosmology: Cosmology
    host_id: NDArray[np.int64]
    view: NDArray[np.int64]
    log10_m200c: NDArray[np.float64] | None = None
    log10_m500c: NDArray[np.float64] | None = None
    fold: NDArray[np.int64] | None = None
    split: NDArray[np.int64] | None = None
    is_test: NDArray[np.bool_] | None = None
    is_flat: NDArray[np.bool_] | None = None
    line_of_sight: NDArray[np.float64] | None = None
    is_ideal: bool = True
    source: str = ""

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("channels", tuple(str(name) for name in self.channels))
        images = np.asarray(self.images)
        if images.ndim != 4 or images.shape[1] != len(self.channels):
            raise ArrayError(
                f"`images` must have shape (n, {len(self.channels)}, row, column) for channels "
                f"{', '.join(self.channels)}, got {images.shape}"
            )
        put("images", np.ascontiguousarray(images, np.float32))
        check.check_finite(self.images, "images")
        n = len(self)
        put("pixel_angle", check.number(self.pixel_angle, "pixel_angle", above=0, unit="rad"))
        put("redshift", check.float64_array(self.redshift, "redshift", (n,)))
        check.check_finite(self.redshift, "redshift")
        if not (self.redshift > 0).all():
            raise DomainError(f"`redshift` must be above zero, got {self.redshift.min()}")
        for name in ("log10_m200c", "log10_m500c"):
            if getattr(self, name) is not None:
                put(name, check.float64_array(getattr(self, name), name, (n,)))
        if self.line_of_sight is not None:
            put("line_of_sight", check.float64_array(self.line_of_sight, "line_of_sight", (n, 3)))
        for name in ("host_id", "view", "fold", "split"):
            if getattr(self, name) is not None:
                put(name, _column(getattr(self, name), name, n, np.int64))
        for name in ("is_test", "is_flat"):
            given = getattr(self, name)
            put(name, np.ones(n, bool) if given is None else _column(given, name, n, np.bool_))

    def __len__(self) -> int:
        return int(self.images.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the images: (n, channel, row, column)."""
        return self.images.shape

    @property
    def n_galaxies(self) -> NDArray[np.int64]:
        """A map shows no galaxies one by one: 0 for each."""
        return np.zeros(len(self), np.int64)

    def only(self, rows: Any) -> MapSample:
        """Some rows: slice, index array or mask."""
        chosen = np.atleast_1d(np.arange(len(self))[rows])
        names = [f.name for f in fields(self) if f.name not in _SHARED and getattr(self, f.name) is not None]
        changed: dict[str, Any] = {name: getattr(self, name)[chosen] for name in names}
        return replace(self, **changed)

    def select(self, channels: Sequence[str]) -> MapSample:
        """Some channels, in this order.

        Raises
        ------
        MissingFieldError
            If there is no such channel.
        """
        if missing := [name for name in channels if name not in self.channels]:
            raise MissingFieldError(f"maps have no channel {', '.join(missing)}; they have {', '.join(self.channels)}")
        if tuple(channels) == self.channels:
            return self
        return replace(
            self, channels=tuple(channels), images=self.images[:, [self.channels.index(c) for c in channels]]
        )

    def rows_of_fold(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows to train with (`is_flat`, other folds) and to test on (`is_test`, this fold).

        Raises
        ------
        MissingFieldError
            If the maps have no folds.
        """
        if self.fold is None or self.is_flat is None or self.is_test is None:
            raise MissingFieldError("maps must have a `fold` for a cross-validation, got none")
        own = self.fold == fold
        return np.flatnonzero(self.is_flat & ~own), np.flatnonzero(self.is_test & own)


def read_map_sample(path: str | Path, channels: Sequence[str] | None = None, *, seed: int = 0) -> MapSample:
    """Read a file of `clustermass maps` whole: images, masses, and folds by host.

    Parameters
    ----------
    path : str or Path
        What `clustermass maps` or `make_maps` wrote.
    channels : sequence of str, optional
        Default all.
    seed : int
        Of the random split; a fold is the rank of the host by M200c, modulo 10.

    Returns
    -------
    MapSample

    Raises
    ------
    FileNotFoundError, FileFormatError
    MissingFieldError
        If the file has no such channel, no masses, or (before version 0.2) no cosmology.

    Notes
    -----
    Cost: one reading; memory: the images of the channels asked for.

    Examples
    --------
    >>> import tempfile
    >>> import clustermass as cm
    >>> snapshot = cm.open_snapshot(cm.datasets.sample_snapshot())
    >>> clusters = cm.targets_from_groups(cm.open_groups(cm.datasets.sample_groups()), min_mass=1e14)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = cm.make_maps(snapshot, clusters, f"{folder}/maps.h5", cm.MapSettings(["gas_mass"], pixels=16))
    ...     read_map_sample(f"{folder}/maps.h5").shape
    (12, 1, 16, 16)
    """
    maps = read_maps(path)
    names = maps.channel_names if channels is None else tuple(channels)
    if missing := [name for name in names if name not in maps.channel_names]:
        raise MissingFieldError(f"{path} has no channel {', '.join(missing)}; it has {', '.join(maps.channel_names)}")
    labels = maps.labels
    if "m200c" not in labels:
        raise MissingFieldError(f"{path} has no label m200c to learn from")
    host = np.asarray(labels["cluster_id"], np.int64)
    log_mass = {name: np.log10(np.asarray(labels[name], np.float64)) for name in ("m200c", "m500c") if name in labels}
    columns: dict[str, Any] = {"fold": assign_folds(host, log_mass["m200c"]), "split": assign_splits(host, seed=seed)}
    columns |= {name: labels[name] for name in ("is_test", "is_flat", "fold", "split") if name in labels}
    images = np.stack([maps.read_images(channel=name) for name in names], axis=1)
    return MapSample(
        images, names, maps.pixel_angle, maps.views["redshift"], _cosmology_of(maps), host, maps.views["number"],
        log10_m200c=log_mass["m200c"], log10_m500c=log_mass.get("m500c"), line_of_sight=maps.views["direction"],
        is_ideal=all(c.noise_rms == 0 and c.beam_fwhm == 0 for c in maps.channels if c.name in names),
        source=str(path), **columns,
    )  # fmt: skip


def _cosmology_of(maps: MapSet) -> Cosmology:
    found = maps.provenance.get("cosmology")
    if not found:
        raise MissingFieldError(f"{maps.path} does not say which cosmology it was made with; make it again")
    return Cosmology(**found)


def _column(values: Any, name: str, n: int, dtype: Any) -> NDArray[Any]:
    column = np.asarray(values)
    if column.shape != (n,) or column.dtype.kind not in "biu":
        raise ArrayError(f"`{name}` must be whole numbers of shape ({n},), got {column.dtype} of shape {column.shape}")
    return column.astype(dtype)
