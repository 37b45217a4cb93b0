"""Write files so that a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` last through a power failure, where the file system can promise that."""
    if os.name == "nt":  # a folder cannot be opened there, and a rename is written through
        return
    try:
        _sync(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems know no fsync of a folder
            raise


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, the file written there becomes `path`.

    The file is flushed to disk before it is renamed and the folder after, so that a crash, a full disk or a killed
    process leaves the file that was there before, byte for byte. When the block raises, the temporary file is removed
    and the exception goes on. A killed process may leave the temporary file, whose name starts with a dot and holds
    ``.part``; it never leaves a `path` that looks finished.

    Parameters
    ----------
    path : path-like
        The file to create or replace. A symbolic link is followed: the file that it points to is replaced.

    Yields
    ------
    Path
        A name in the same folder, with the same suffix, that no file has yet. The block must create it and close it.

    Raises
    ------
    FileNotFoundError
        If the folder is missing, or the block ends without having made the file.
    IsADirectoryError
        If `path` is a folder.
    OSError
        If the disk is full or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "mass.txt") as part:
    ...     _ = part.write_text("14.5")
    >>> [p.name for p in folder.iterdir()]
    ['mass.txt']
    """
    final = Path(os.path.realpath(path))
    if final.is_dir():
        raise IsADirectoryError(f"`path` must be a file, got the folder {os.fspath(path)}")
    if not final.parent.is_dir():
        raise FileNotFoundError(f"`path` must lie in a folder that exists, got {os.fspath(path)}")
    # the suffix stays last because writers choose the format by it
    part = final.with_name(f".{final.stem}.{secrets.token_hex(6)}.part{final.suffix}")
    try:
        yield part
        if not part.is_file():
            raise FileNotFoundError(f"nothing was written for {os.fspath(path)}: the block must create {part.name}")
        _sync(part, os.O_RDWR)
        os.replace(part, final)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(final.parent)
