"""Write an HDF5 file whole or not at all, also on a full disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .atomic import atomic_path

if TYPE_CHECKING:
    import h5py


class _Sink(io.RawIOBase):
    """A file for HDF5 to write to that never fails: it remembers the first error and drops what follows.

    HDF5 that meets a write error (disk full, quota) leaves its file half closed, and the process crashes later, at
    exit or at the next use. So HDF5 is told that all went well, and the error is raised when it has let go.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self.error: BaseException | None = None

    def _guard(self, action: Any, fallback: int) -> int:
        try:
            return int(action())
        except BaseException as exc:  # Ctrl-C as well: it must not pass through HDF5
            self.error = self.error or exc
            return fallback

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        return self._guard(lambda: self._file.truncate(size), size or 0)

    def readinto(self, buffer: Any) -> int:
        return self._guard(lambda: self._file.readinto(buffer), 0)

    def write(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")

        def write_all() -> int:
            done = 0
            while done < len(view):
                done += self._file.write(view[done:]) or 0
            return done

        return len(view) if self.error else self._guard(write_all, len(view))

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def create_hdf5(path: Path) -> Iterator[h5py.File]:
    """An open HDF5 file that becomes `path` when the block ends without an error, and leaves no trace otherwise.

    Raises
    ------
    OSError
        The first error of writing, such as a full disk; `path` is then what it was before.
    """
    import h5py

    with atomic_path(path) as temporary:
        sink = _Sink(Path(temporary))
        try:
            with h5py.File(sink, "w") as file:
                yield file
            if sink.error is not None:
                raise sink.error
        except BaseException as exc:
            if sink.error is not None and exc is not sink.error:
                raise sink.error from exc
            raise
        finally:
            sink.close()
