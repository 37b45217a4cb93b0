"""An HDF5 file is whole or not there; a full disk neither crashes HDF5 nor harms what was there."""

import os
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest

from clustermass.data.hdf5_out import create_hdf5


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_file_appears_at_the_end_and_reads_back(tmp_path):
    target = tmp_path / "a.h5"
    with create_hdf5(target) as file:
        file.create_dataset("x", data=np.arange(1000.0), chunks=(100,), fletcher32=True)
        file["x"].attrs["unit"] = "Mpc"
        assert not target.exists()
    assert names(tmp_path) == ["a.h5"]
    with h5py.File(target) as file:
        np.testing.assert_array_equal(file["x"][:], np.arange(1000.0))
        assert file["x"].attrs["unit"] == "Mpc"


def test_error_in_the_block_leaves_no_trace(tmp_path):
    target = tmp_path / "a.h5"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), create_hdf5(target) as file:  # noqa: PT012
        file["x"] = np.arange(10)
        raise ZeroDivisionError
    assert names(tmp_path) == ["a.h5"]
    assert target.read_bytes() == b"old"


def test_full_disk_at_every_size_raises_and_keeps_the_old_file(tmp_path):
    """The limit falls on every part of the file in turn: header, chunks, index, last flush."""
    code = """
        import resource, sys
        from pathlib import Path
        import numpy as np
        from clustermass.data.hdf5_out import create_hdf5
        target = Path(sys.argv[1])
        def write():
            with create_hdf5(target) as file:
                data = file.create_dataset("x", (40, 1000), "f8", chunks=(1, 1000), fletcher32=True)
                for i in range(40):
                    data[i] = i
                file["labels/m200c"] = np.arange(500.0)
        write()
        whole, old = target.stat().st_size, target.read_bytes()
        failed = 0
        for limit in [0, 1, 50, 511, 512, 2048, *range(4096, whole, 9973), whole - 1]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                write()
            except OSError as exc:
                assert exc.errno == 27, exc  # EFBIG, as ENOSPC on a full disk
                failed += 1
            else:
                raise SystemExit(f"limit {limit} of {whole} went unnoticed")
            assert target.read_bytes() == old
            assert len(list(target.parent.iterdir())) == 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        write()
        print("failed", failed)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "a.h5")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[1]) > 30
