"""Write maps batch by batch so that a run that was stopped goes on where it was, and never looks finished before.

Finished batches are small whole files in ``<out>.partial/``; the last step puts them together there and renames the
result to ``<out>``. A run that is killed leaves only ``<out>.partial/``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ClusterMassError, FileFormatError
from .atomic import atomic_path, sync_folder
from .hdf5_out import create_hdf5
from .maps_file import MapsHeader, image_dataset, write_header


class OutputBusyError(ClusterMassError, RuntimeError):
    """Another process is writing the same output."""


def digest(plan: Mapping[str, Any]) -> str:
    """SHA-256 of a plan that JSON can hold."""
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse, before any work, an output that exists (unless `overwrite`) or that cannot be written."""
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; give another name, or --overwrite (overwrite=True) to replace it")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, a file name is needed")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder of the output, {path.parent}, does not exist")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"the folder of the output, {path.parent}, cannot be written to")


class MapsWriter:
    """The unfinished output of one run; use as a context manager.

    Parameters
    ----------
    path : Path
        The file to make.
    plan : dict
        Everything that decides what the images are, as JSON can hold it: batches of another plan are not reused.
    sizes : list of int
        Number of views of each batch.
    overwrite : bool
        Whether an existing `path` may be replaced, by the last rename and not before.

    Attributes
    ----------
    missing : list of int
        Batches to make.
    message : str
        What was found of an earlier run, for the user; empty when nothing was.
    """

    def __init__(self, path: Path, plan: Mapping[str, Any], sizes: list[int], *, overwrite: bool = False) -> None:
        check_free(path, overwrite=overwrite)
        self.path = path = Path(os.path.realpath(path))  # behind a symbolic link, so that the link stays
        self.folder = path.with_name(path.name + ".partial")
        self._plan, self._sizes = dict(plan), sizes
        self._digest = digest(self._plan)
        self._lock: IO[bytes] | None = None
        self.message = ""
        self.missing: list[int] = []

    def __enter__(self) -> MapsWriter:
        self.folder.mkdir(exist_ok=True)
        self._lock = self._take_lock()
        try:
            self._resume()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._lock is not None:
            self._lock.close()

    def _take_lock(self) -> IO[bytes]:
        """The lock goes with the process, however it ends."""
        lock = (self.folder / "lock").open("ab")
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock.close()
            raise OutputBusyError(f"another process is writing {self.path} (lock in {self.folder})") from exc
        except (ImportError, OSError):  # a system or a file system without such locks
            pass
        return lock

    def _batch(self, number: int) -> Path:
        return self.folder / f"batch_{number:06d}.h5"

    def _resume(self) -> None:
        plan_file = self.folder / "plan.json"
        try:
            found = json.loads(plan_file.read_text())
        except (OSError, ValueError):
            found = None
        same = isinstance(found, dict) and digest(found) == self._digest
        if isinstance(found, dict) and not same:
            changed = sorted(k for k in found.keys() | self._plan.keys() if found.get(k) != self._plan.get(k))
            self.message = f"an unfinished run is there but was made with other {', '.join(changed)}: starting anew"
        whole = [n for n in range(len(self._sizes)) if same and self._is_whole(n)]
        keep = {"plan.json" if same else "", "lock", *(self._batch(n).name for n in whole)}
        for item in self.folder.iterdir():
            if item.name not in keep:
                item.unlink()
        if not same:
            with atomic_path(plan_file) as temporary:
                Path(temporary).write_text(json.dumps(self._plan, indent=1, sort_keys=True))
        elif whole:
            self.message = f"going on with an unfinished run: {len(whole)} of {len(self._sizes)} batches are done"
        self.missing = [n for n in range(len(self._sizes)) if n not in set(whole)]

    def _is_whole(self, number: int) -> bool:
        """Whether a batch is there, of this plan, and reads back with right checksums."""
        try:
            return len(self._load(number)) == self._sizes[number]
        except (OSError, KeyError, FileFormatError):
            return False

    def _load(self, number: int) -> NDArray[np.float32]:
        import h5py

        with h5py.File(self._batch(number), "r") as file:
            if file.attrs["plan"] != self._digest:
                raise FileFormatError(f"{self._batch(number)} belongs to another plan")
            return np.asarray(file["images"][:])

    def save(self, number: int, images: NDArray[np.float32]) -> None:
        """Record a finished batch, shape (view, channel, row, column); it is on the disk when this returns."""
        rows, cols = images.shape[2:]
        with create_hdf5(self._batch(number)) as file:
            file.attrs["plan"] = self._digest
            image_dataset(file, (len(images), images.shape[1], rows, cols))[:] = images
        self.missing.remove(number)

    def finish(self, header: MapsHeader) -> None:
        """Put the batches together, move the result to `path`, and remove the work folder."""
        if self.missing:
            raise ClusterMassError(f"batches {self.missing} of {self.path} are not made yet")
        ready = self.folder / "ready.h5"
        with create_hdf5(ready) as file:
            data = write_header(file, header)
            first = 0
            for number, size in enumerate(self._sizes):
                data[first : first + size] = self._load(number)
                first += size
            file.attrs["complete"] = True
        os.replace(ready, self.path)
        sync_folder(self.path.parent)
        shutil.rmtree(self.folder)
