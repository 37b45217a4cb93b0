"""Cut and bit-flipped files: a typed error that names the file, or a readable file; never anything else.

The files are read in a child process, so that a crash inside the HDF5 library shows as a failure of the test.
"""

import subprocess
import sys

import numpy as np
import pytest

from tests.data.readers import writers

WRITERS = {
    "gadget1": writers.write_gadget_binary,
    "gadget2": lambda path, made: writers.write_gadget_binary(path, made, version=2),
    "big_endian": lambda path, made: writers.write_gadget_binary(path, made, order=">"),
    "gadget_hdf5": lambda path, made: writers.write_gadget_hdf5(path, made, attributes=writers.set_gadget4_attributes),
    "chunked": lambda path, made: writers.write_gadget_hdf5(path, made, chunks=16),
    "swift": writers.write_swift,
    "groups": lambda path, made: writers.write_groups(path),
}
CHILD = """
import sys, warnings
from pathlib import Path
import clustermass as cm
from clustermass.data import readers
from clustermass.errors import ClusterMassError
warnings.simplefilter("ignore")

def use(path):
    if readers.detect(path) == "groups":
        return cm.open_groups(path)
    snapshot = cm.open_snapshot(path)
    snapshot.missing
    for ptype in ("gas", "dark_matter", "stars"):
        fields = snapshot.fields(ptype)
        if fields:
            snapshot.read(ptype, fields)

for path in sorted(Path(sys.argv[1]).glob("damaged*")):
    print(path.name, end=" ", flush=True)
    try:
        use(path)
        print("read")
    except ClusterMassError as exc:
        assert path.name in str(exc), exc
        print("refused", type(exc).__name__)
"""


def outcomes(folder):
    """One line for each damaged file: how the child fared with it."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(folder)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.returncode, done.stdout.splitlines()[-1:], done.stderr[-2000:])
    return done.stdout.splitlines()


@pytest.mark.parametrize("kind", WRITERS)
def test_cut_files_are_refused(tmp_path, kind):
    WRITERS[kind](tmp_path / "whole", writers.universe())
    whole = (tmp_path / "whole").read_bytes()
    lengths = np.unique(np.linspace(0, len(whole) - 1, 60).astype(int))
    for n in lengths:
        (tmp_path / f"damaged_{n}").write_bytes(whole[:n])
    lines = outcomes(tmp_path)
    assert len(lines) == len(lengths)
    # a binary file cut exactly between two blocks is whole, and lacks the last ones
    assert sum("read" in line for line in lines) <= (kind in ("gadget1", "gadget2", "big_endian"))
    assert sum("Truncated" in line for line in lines) >= 50


@pytest.mark.parametrize("kind", WRITERS)
def test_flipped_bits_are_read_or_refused(tmp_path, kind):
    WRITERS[kind](tmp_path / "whole", writers.universe())
    whole = (tmp_path / "whole").read_bytes()
    rng = np.random.default_rng(7)
    for i in range(40):
        damaged = bytearray(whole)
        end = 2048 if i % 2 else len(whole)  # half of them in the headers
        for _ in range(1 + i % 3):
            damaged[rng.integers(0, min(end, len(whole)))] ^= 1 << rng.integers(0, 8)
        (tmp_path / f"damaged_{i}").write_bytes(damaged)
    lines = outcomes(tmp_path)
    assert len(lines) == 40
    assert any("refused" in line for line in lines)
