"""The sample that comes with the package is whole and is what its README says."""

from __future__ import annotations

import hashlib

import h5py
import numpy as np
import pytest

import clustermass
from clustermass import datasets

SHA256 = {
    "sample_snapshot": "135b29df90d4bab9ae77e216ffa9eb4e3437b4821f6abc14bcb8d38dad22aa07",
    "sample_groups": "1a00233c387476a8a74f0ca56b7fb7b9df1329c1b4871fe00e08982c30465629",
}


@pytest.mark.parametrize("name", SHA256)
def test_file_is_untouched(name):
    path = getattr(clustermass.datasets, name)()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[name]
    assert (path.parent / "README.md").is_file()


def test_contents_are_as_documented():
    with h5py.File(datasets.sample_snapshot()) as file:
        np.testing.assert_array_equal(file["Header"].attrs["NumPart_Total"], [16884, 17072, 0, 0, 98, 0])
        assert (file["PartType0/StarFormationRate"][:] > 0).any()
    with h5py.File(datasets.sample_groups()) as file:
        masses = file["Group/Group_M_Crit200"][:]
        np.testing.assert_allclose(np.sort(masses)[::-1][:3], [32179.1, 26597.2, 16347.8], rtol=1e-5)


def test_readers_open_it_without_assumptions():
    snapshot = clustermass.open_snapshot(datasets.sample_snapshot())
    groups = clustermass.open_groups(datasets.sample_groups())
    assert not snapshot.assumptions
    assert groups.m200c[0] == pytest.approx(3.21791e14 / 0.678, rel=1e-5)
    assert groups.header.box_size == pytest.approx(80 / 0.678)
    assert groups.header.omega_m == snapshot.header.omega_m == 0.307


def test_incomplete_installation_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "_SAMPLE", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"sample_snapshot\.hdf5 is missing.*install it again"):
        datasets.sample_snapshot()
