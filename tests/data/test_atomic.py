"""A file is the old one or the new one, whatever stops the writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from clustermass.data.atomic import atomic_path


def run_child(code, *args):
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, args)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_new_file_appears_complete(tmp_path):
    target = tmp_path / "maps.h5"
    with atomic_path(target) as part:
        assert part.parent == tmp_path
        assert part.suffix == ".h5"
        part.write_bytes(b"new")
        assert not target.exists()
    assert names(tmp_path) == ["maps.h5"]
    assert target.read_bytes() == b"new"


def test_old_file_is_replaced_only_at_the_end(tmp_path):
    target = tmp_path / "maps.h5"
    target.write_bytes(b"old")
    with atomic_path(str(target)) as part:
        part.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_old_file_and_no_other(tmp_path, error):
    target = tmp_path / "maps.h5"
    target.write_bytes(b"old")
    with pytest.raises(error), atomic_path(target) as part:  # noqa: PT012
        part.write_bytes(b"half of the n")
        raise error
    assert names(tmp_path) == ["maps.h5"]
    assert target.read_bytes() == b"old"


def test_nested_writers_do_not_meet(tmp_path):
    target = tmp_path / "maps.h5"
    with atomic_path(target) as first, atomic_path(target) as second:
        assert first != second
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert target.read_bytes() == b"first"  # the outer block ends last
    assert names(tmp_path) == ["maps.h5"]


def test_symbolic_link_stays_a_link(tmp_path):
    (tmp_path / "store").mkdir()
    real, link = tmp_path / "store" / "maps.h5", tmp_path / "latest.h5"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with atomic_path(link) as part:
        part.write_bytes(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_file_without_suffix(tmp_path):
    with atomic_path(tmp_path / "centres") as part:
        part.write_text("0 0 0")
    assert names(tmp_path) == ["centres"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "maps.h5") as part:
            part.write_bytes(b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "maps.h5").stat().st_mode & 0o777 == 0o640


def test_errors_name_the_path(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"folder that exists.*missing/maps\.h5"),
        atomic_path(tmp_path / "missing" / "maps.h5"),
    ):
        pytest.fail("the block must not run")
    with pytest.raises(IsADirectoryError, match="must be a file"), atomic_path(tmp_path):
        pytest.fail("the block must not run")
    with (
        pytest.raises(FileNotFoundError, match=r"nothing was written for .*maps\.h5"),
        atomic_path(tmp_path / "maps.h5"),
    ):
        pass
    assert names(tmp_path) == []


KILLED = """
    import os, signal, sys
    from clustermass.data.atomic import atomic_path
    with atomic_path(sys.argv[1]) as part:
        part.write_bytes(b"half of the n")
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("old", [None, b"old"])
def test_killed_process_leaves_no_finished_file(tmp_path, old):
    target = tmp_path / "maps.h5"
    if old is not None:
        target.write_bytes(old)
    assert run_child(KILLED, target).returncode == -signal.SIGKILL
    assert (target.read_bytes() if target.exists() else None) == old
    assert all(".part" in n and n.startswith(".") for n in names(tmp_path) if n != "maps.h5")


FULL_DISK = """
    import resource, sys
    from clustermass.data.atomic import atomic_path
    limit = int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    with atomic_path(sys.argv[1]) as part:
        if sys.argv[2] == "bytes":
            part.write_bytes(bytes(100_000))
        else:
            import h5py, numpy
            with h5py.File(part, "w") as file:
                file["images"] = numpy.zeros(12_500)
"""


@pytest.mark.parametrize("limit", [0, 1_000, 99_000])
@pytest.mark.parametrize("writer", ["bytes", "hdf5"])
def test_full_disk_keeps_the_old_file(tmp_path, writer, limit):
    target = tmp_path / "maps.h5"
    target.write_bytes(b"old")
    child = run_child(FULL_DISK, target, writer, limit)
    assert child.returncode != 0, child.stderr  # HDF5 itself may crash when the process ends, after the clean-up
    assert "Error" in child.stderr
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["maps.h5"]
