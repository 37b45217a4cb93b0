"""Parsing of halo lists in text, beside np.loadtxt and astropy's fast reader on the same file."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm

ROWS, COLUMNS = 60_000, 41  # as wide as a list of Rockstar


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    rng = np.random.default_rng(1)
    names = [f"c{k}" for k in range(COLUMNS)]
    wanted = ["ID", "DescID", "Mvir", "Vmax", "Vrms", "Rvir", "Rs", "Np", "X", "Y", "Z", "VX", "VY", "VZ"]
    names[: len(wanted)] = wanted
    numbers = rng.uniform(0.0, 100.0, (ROWS, COLUMNS - 2))
    file = tmp_path_factory.mktemp("catalogue") / "out_1.list"
    with file.open("w") as out:
        out.write(f"#{' '.join(names)}\n#a = 1.0\n#Om = 0.3; Ol = 0.7; h = 0.7\n#Box size: 100.0 Mpc/h\n")
        for k, row in enumerate(numbers):
            out.write(f"{k} -1 " + " ".join(f"{x:.5f}" for x in row) + "\n")
    return file


def catalogue(path):
    halos = cm.open_catalogue(path)
    return halos.n, halos["ids"][-1]


def kept(path):
    halos = cm.open_catalogue(path, store=path.with_suffix(".h5"))
    return halos.n, halos["ids"][-1]


def loadtxt(path):
    rows = np.loadtxt(path)  # no exact identifiers, and one array of rows
    return len(rows), int(rows[-1, 0])


def astropy(path):
    from astropy.io import ascii as reader

    table = reader.read(path, format="no_header", fast_reader=True, guess=False, comment="#")
    return len(table), table["col1"][-1]


@pytest.mark.benchmark(group="catalogues", min_rounds=3, warmup=True)
@pytest.mark.parametrize("run", [catalogue, kept, loadtxt, astropy], ids=lambda run: run.__name__)
def bench_catalogues(benchmark, path, run):
    assert benchmark(run, path) == (ROWS, ROWS - 1)
    size = path.stat().st_size
    benchmark.extra_info |= {"bytes": size, "megabytes_per_s": size / 1e6 / benchmark.stats["median"]}
