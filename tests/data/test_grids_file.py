from __future__ import annotations

import h5py
import numpy as np
import pytest

import clustermass as cm
from clustermass import errors
from clustermass.data.grids_file import LABELS, write_grids

AXES = [(-2200.0, 2200.0, 5), (0.0, 2.0, 4)]


def blocks(rng, sizes):
    first = 0
    for n in sizes:
        own = {name: np.arange(first, first + n) % (2 if name.startswith("is_") else 10**9) for name in LABELS}
        yield rng.random((n, 5, 4)).astype(np.float32), own
        first += n


def write(path, rng, sizes=(3, 0, 2)):
    return write_grids(path, blocks(rng, sizes), columns=("velocity", "radius"), axes=AXES, record={"preset": "mine"})


def test_round_trip(tmp_path, rng):
    path = tmp_path / "grids.hdf5"
    assert write(path, rng) == 5
    found = cm.read_grids(path)
    want = np.concatenate([grids for grids, _ in blocks(np.random.default_rng(20240917), (3, 0, 2))])
    np.testing.assert_array_equal(found.grids, want)
    assert found.grids.dtype == np.float32
    assert (found.columns, found.axes, found.record) == (("velocity", "radius"), AXES, {"preset": "mine"})
    assert found.labels["host_id"].tolist() == [0, 1, 2, 3, 4]
    assert found.labels["is_flat"].dtype == bool
    some = cm.read_grids(path, [3, 1])
    np.testing.assert_array_equal(some.grids, want[[3, 1]])
    assert some.labels["fold"].tolist() == [3, 1]
    assert len(cm.read_grids(path, slice(0, 0))) == 0


def test_wrong_blocks_leave_no_file(tmp_path, rng):
    path = tmp_path / "grids.hdf5"
    for change in ({"axes": AXES[:1], "columns": ("velocity",)}, {"axes": [*AXES[:1], (0.0, 2.0, 7)]}):
        arguments = {"columns": ("velocity", "radius"), "axes": AXES, "record": {}} | change
        with pytest.raises(errors.ArrayError, match="`blocks` must hold grids of"):
            write_grids(path, blocks(rng, (2,)), **arguments)
    assert list(tmp_path.iterdir()) == []


def test_damage_is_noticed(tmp_path, rng):
    path = tmp_path / "grids.hdf5"
    for change, message in [
        (lambda f: f.__delitem__("grids"), "grids must have shape"),
        (lambda f: f.__delitem__("labels/fold"), "lacks labels/fold"),
        (lambda f: f["grids"].resize(4, axis=0), r"grids must have shape \(5, 5, 4\)"),
        (lambda f: f["grids"].__setitem__((1, 2, 3), np.nan), "`grids` must be finite"),
        (lambda f: f.attrs.__setitem__("axes", [1.0]), "attribute axes"),
        (lambda f: f.attrs.__setitem__("complete", 0), "is not complete"),
        (lambda f: f.attrs.__setitem__("format", np.bytes_("other")), "not a file of format"),
    ]:
        write(path, rng)
        with h5py.File(path, "r+") as file:
            change(file)
        with pytest.raises(errors.FileFormatError, match=message):
            cm.read_grids(path)
