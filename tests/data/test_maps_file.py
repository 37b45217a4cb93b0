"""The file of maps: round trip, resuming, and that nothing unfinished looks finished."""

import json
import os
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest

from clustermass.data import maps_writer
from clustermass.data.maps_file import ChannelRecord, MapsHeader, read_maps
from clustermass.data.maps_writer import MapsWriter, OutputBusyError
from clustermass.errors import ClusterMassError, DomainError, FileFormatError

SIZES = [2, 2, 1]
SHAPE = (5, 2, 6, 6)
PLAN = {"settings": {"pixels": 6}, "input files": []}


def batch(number):
    first = 2 * number
    return np.random.default_rng(number).normal(size=(SIZES[number], *SHAPE[1:])).astype(np.float32) + first


def header():
    channels = (ChannelRecord("stars", "solMass", 1e11, 0.0), ChannelRecord("compton_y", "", 1e-8, 4e-4))
    labels = {"cluster_id": np.arange(5), "m200c": np.linspace(1e13, 1e15, 5)}
    views = {"redshift": np.full(5, 0.05), "rotation": np.eye(3)[None].repeat(5, 0)}
    return MapsHeader(channels, labels, views, SHAPE, 4.85e-5, {"command": "clustermass maps a --out b", "seed": 1})


def write(path, plan=PLAN, stop_after=None, overwrite=False):
    with MapsWriter(path, plan, SIZES, overwrite=overwrite) as writer:
        made = list(writer.missing)
        for number in made[:stop_after]:
            writer.save(number, batch(number))
        if stop_after is None:
            writer.finish(header())
    return made, writer.message


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_round_trip(tmp_path):
    write(tmp_path / "maps.h5")
    assert names(tmp_path) == ["maps.h5"]
    maps = read_maps(tmp_path / "maps.h5")
    want = np.concatenate([batch(n) for n in range(3)])
    np.testing.assert_array_equal(maps.images, want)
    assert maps.images.dtype == np.float32
    assert (len(maps), maps.shape, maps.channel_names) == (5, SHAPE, ("stars", "compton_y"))
    assert maps.channels == header().channels
    assert maps.provenance == header().provenance
    np.testing.assert_array_equal(maps.labels["m200c"], header().labels["m200c"])
    np.testing.assert_array_equal(maps.views["rotation"], header().views["rotation"])
    with h5py.File(tmp_path / "maps.h5") as file:
        assert all(file[name].fletcher32 for name in ("images", "labels/m200c", "views/rotation"))


def test_images_are_read_in_part(tmp_path):
    write(tmp_path / "maps.h5")
    maps = read_maps(str(tmp_path / "maps.h5"))
    want = maps.images
    np.testing.assert_array_equal(maps.read_images(slice(1, 3)), want[1:3])
    np.testing.assert_array_equal(maps.read_images([4, 0, 4]), want[[4, 0, 4]])
    np.testing.assert_array_equal(maps.read_images(np.arange(5) > 2, channel="compton_y"), want[3:, 1])
    assert maps.read_images([]).shape == (0, 2, 6, 6)
    with pytest.raises(DomainError, match="stars, compton_y"):
        maps.read_images(channel="xray")


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    whole, broken = tmp_path / "whole.h5", tmp_path / "broken.h5"
    write(whole)
    write(broken, stop_after=2)
    assert names(tmp_path) == ["broken.h5.partial", "whole.h5"]
    with pytest.raises(FileNotFoundError, match="begun but not finished"):
        read_maps(broken)
    made, message = write(broken)
    assert made == [2]
    assert "2 of 3 batches are done" in message
    np.testing.assert_array_equal(read_maps(broken).images, read_maps(whole).images)
    assert names(tmp_path) == ["broken.h5", "whole.h5"]


def test_another_plan_starts_anew_and_says_what_differs(tmp_path):
    out = tmp_path / "maps.h5"
    write(out, stop_after=2)
    made, message = write(out, plan={**PLAN, "settings": {"pixels": 7}})
    assert made == [0, 1, 2]
    assert "other settings" in message


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign", "empty", "plan"])
def test_a_damaged_batch_is_made_again(tmp_path, damage):
    out = tmp_path / "maps.h5"
    write(out, stop_after=2)
    folder = tmp_path / "maps.h5.partial"
    target = folder / "batch_000001.h5"
    data = bytearray(target.read_bytes())
    if damage == "cut":
        target.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        position = bytes(data).find(batch(1)[0].tobytes())
        assert position > 0
        data[position + 5] ^= 1
        target.write_bytes(data)
    elif damage == "foreign":
        with h5py.File(target, "r+") as file:
            file.attrs["plan"] = "another"
    elif damage == "empty":
        target.write_bytes(b"")
    else:
        (folder / "plan.json").write_text("{ half")
    (folder / ".batch_000002.abc.part.h5").write_bytes(b"left by a killed process")
    made, _ = write(out)
    assert made == ([0, 1, 2] if damage == "plan" else [1, 2])
    np.testing.assert_array_equal(read_maps(out).images, np.concatenate([batch(n) for n in range(3)]))


def test_finishing_early_is_refused(tmp_path):
    with MapsWriter(tmp_path / "maps.h5", PLAN, SIZES) as writer:
        writer.save(1, batch(1))
        with pytest.raises(ClusterMassError, match=r"\[0, 2\]"):
            writer.finish(header())
    assert not (tmp_path / "maps.h5").exists()


def test_an_output_that_exists_is_kept_unless_told_otherwise(tmp_path):
    out = tmp_path / "maps.h5"
    out.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="--overwrite"):
        write(out)
    write(out, stop_after=2, overwrite=True)
    assert out.read_bytes() == b"precious"
    write(out, overwrite=True)
    assert len(read_maps(out)) == 5


def test_outputs_that_cannot_be_are_refused_first(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder"):
        write(tmp_path / "no" / "maps.h5")
    with pytest.raises(IsADirectoryError, match="folder"):
        write(tmp_path, overwrite=True)


def test_second_writer_is_turned_away(tmp_path):
    out = tmp_path / "maps.h5"
    with MapsWriter(out, PLAN, SIZES) as writer:
        with pytest.raises(OutputBusyError, match="another process"):
            write(out)
        for number in range(3):
            writer.save(number, batch(number))
        writer.finish(header())
    assert len(read_maps(out)) == 5


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "maps.h5").symlink_to(tmp_path / "disk" / "maps.h5")
    write(tmp_path / "maps.h5")
    assert (tmp_path / "maps.h5").is_symlink()
    assert len(read_maps(tmp_path / "disk" / "maps.h5")) == 5


def edit(path, action):
    with h5py.File(path, "r+") as file:
        action(file)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda f: f.attrs.__setitem__("complete", False), "not complete"),
        (lambda f: f.attrs.__delitem__("complete"), "not complete"),
        (lambda f: f.attrs.__setitem__("format", "other"), "not a file of maps"),
        (lambda f: f.attrs.__setitem__("format_version", 99), "format version 99"),
        (lambda f: f.__delitem__("images"), "images"),
        (lambda f: f.__delitem__("channels/unit"), "unit"),
        (lambda f: (f.__delitem__("labels/m200c"), f.__setitem__("labels/m200c", np.ones(3))), "`m200c` has 3 entries"),
        (lambda f: f.attrs.__setitem__("provenance", "{ half"), "cannot be read"),
    ],
)
def test_files_that_are_not_finished_maps_are_refused(tmp_path, action, message):
    out = tmp_path / "maps.h5"
    write(out)
    edit(out, action)
    with pytest.raises(FileFormatError, match=message):
        read_maps(out)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"not HDF5")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_maps(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_maps(tmp_path / "b.h5")


def test_full_disk_at_every_step_keeps_the_old_output(tmp_path):
    """Batches, the final file and the plan meet the limit in turn; with space again the run goes on."""
    code = """
        import resource, sys
        from pathlib import Path
        from tests.data.test_maps_file import write
        out = Path(sys.argv[1])
        out.write_bytes(b"precious")
        failed = 0
        for limit in [0, 10, 200, 1000, 3000, *range(4096, 120000, 3001)]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                write(out, overwrite=True)
            except OSError as exc:
                assert exc.errno == 27, exc
                failed += 1
            else:
                break
            assert out.read_bytes() == b"precious", limit
        print("failed", failed)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "maps.h5")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", *filter(None, sys.path)])},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[1]) >= 5
    np.testing.assert_array_equal(read_maps(tmp_path / "maps.h5").images[:2], batch(0))
    assert names(tmp_path) == ["maps.h5"]


def test_digest_does_not_depend_on_the_order_of_keys():
    assert maps_writer.digest({"a": 1, "b": 2}) == maps_writer.digest(json.loads('{"b": 2, "a": 1}'))
