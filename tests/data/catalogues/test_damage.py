"""Cut and bit-flipped catalogues of every format: a typed error that names the file, or a readable file.

They are read in a child process with bounded memory, so that a crash, or memory asked for by a damaged count, shows.
"""

import subprocess
import sys

import numpy as np
import pytest

from clustermass import datasets
from tests.data.catalogues import writers


def made(rng):
    return writers.halos(rng, 25)


def observed_text(path, rng):
    rows = "".join(f"cluster {k},{rng.random():.6f},{k}\n" for k in range(25))
    path.write_text("name,z,n\n" + rows)


def ecsv(path, rng):
    from astropy.table import Table

    Table({"name": ["a", "b"] * 10, "z": rng.random(20)}).write(path, format="ascii.ecsv")


WRITERS = {
    "out.list": lambda path, rng: writers.rockstar_list(path, rng, 20),
    "halos_7.0.bin": lambda path, rng: writers.rockstar_binary(path, made(rng)),
    "halos_7.0.bgc2": lambda path, rng: writers.bgc2(path, made(rng)),
    "sfr_catalog_0.500000.bin": lambda path, rng: writers.universemachine_binary(path, made(rng)),
    "mdpl.csv": lambda path, rng: writers.cosmosim_csv(path, made(rng)),
    "t.fits": lambda path, rng: writers.fits_table(path, made(rng)),
    "t.csv": observed_text,
    "t.ecsv": ecsv,
    "t.npy": lambda path, rng: np.save(path, rng.random(50)),
    "tree.h5": lambda path, rng: writers.galacticus(path, made(rng)),
    "groups.hdf5": lambda path, rng: path.write_bytes(datasets.sample_groups().read_bytes()),
}
CHILD = """
import resource, sys, warnings
from pathlib import Path
import clustermass as cm
from clustermass.errors import ClusterMassError
warnings.simplefilter("ignore")
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
for folder in sorted(Path(sys.argv[1]).glob("damaged*")):
    path = next(folder.iterdir())
    columns = {"spare": 1, "other": 2} if path.suffix in (".csv", ".ecsv", ".fits") and path.stem == "t" else None
    print(folder.name, end=" ", flush=True)
    try:
        catalogue = cm.open_catalogue(folder if path.suffix == ".npy" else path, columns=columns, hubble=0.7)
        for info in catalogue.columns:
            catalogue[info.name]
        for name in catalogue.raw_names:
            catalogue.raw(name)
        print("read")
    except ClusterMassError as exc:
        assert folder.name in str(exc), exc
        print("refused", type(exc).__name__)
"""


def outcomes(tmp_path, name, contents):
    for k, content in enumerate(contents):
        folder = tmp_path / f"damaged_{k}"
        folder.mkdir()
        (folder / name).write_bytes(content)
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.returncode, done.stdout.splitlines()[-1:], done.stderr[-2000:])
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_files(tmp_path, rng, name):
    WRITERS[name](tmp_path / name, rng)
    whole = (tmp_path / name).read_bytes()
    contents = [whole[:n] for n in np.unique(np.linspace(0, len(whole) - 1, 16).astype(int))]
    n_cut = len(contents)
    for i in range(24):
        damaged = bytearray(whole)
        end = min(len(whole), 2048 if i % 2 else len(whole))  # half of them at the start
        for _ in range(1 + i % 4):
            damaged[rng.integers(0, end)] ^= 1 << rng.integers(0, 8)
        contents.append(bytes(damaged))
    lines = outcomes(tmp_path, name, contents)
    assert len(lines) == len(contents)
    cut = [line for line in lines if int(line.split()[0].split("_")[1]) < n_cut]
    if name.endswith(("bin", "bgc2", "npy", "h5", "hdf5")):
        assert all("refused" in line for line in cut)
    else:  # text that is cut at a line, or in a last number, is text; FITS ends with padding
        assert sum("refused" in line for line in cut) >= n_cut // 4
    assert any("refused" in line for line in lines)
