"""The picture of a file of maps: which views, that it is drawn, and the numbers beside it."""

import csv
import sys

import numpy as np
import pytest

from clustermass.cli import main
from clustermass.data.maps_file import ChannelRecord, MapsHeader, read_maps
from clustermass.data.maps_writer import MapsWriter
from clustermass.errors import DomainError, MissingDependencyError
from clustermass.features.preview import _draw, choose_views, direction_name, draw_maps

pytest.importorskip("matplotlib")


@pytest.fixture
def maps(tmp_path, rng):
    """Make a file with `masses`, two views each, four channels; some flat, some all zero."""

    def make(masses, n_channels=4):
        n = 2 * len(masses)
        names = ("stars", "xray_soft", "xray_bolometric", "compton_y")[:n_channels]
        channels = tuple(ChannelRecord(name, "solMass", 1.0, 0.0) for name in names)
        images = rng.normal(size=(n, n_channels, 16, 16)).astype(np.float32)
        images[0, 0] = 0.0
        labels = {
            "cluster_id": np.repeat(np.arange(len(masses)), 2),
            "m200c": np.repeat(np.asarray(masses, float), 2),
            "r200c": np.full(n, 0.5),
        }
        views = {
            "redshift": np.full(n, 0.05),
            "direction": np.tile([[0.0, 0, 1], [0.6, 0.8, 0]], (len(masses), 1)),
            "pixel_size": np.full(n, 0.1),
            "angular_diameter_distance": np.full(n, 200.0),
        }
        header = MapsHeader(channels, labels, views, images.shape, 5e-4, {})
        with MapsWriter(tmp_path / "maps.h5", {}, [n], overwrite=True) as writer:
            writer.save(0, images)
            writer.finish(header)
        return read_maps(tmp_path / "maps.h5")

    return make


def test_clusters_are_spread_over_mass_heaviest_first(maps):
    some = maps([1e13, 1e15, 3e13, 1e14, 1.1e14, 1.05e13])
    assert choose_views(some, 3).tolist() == [2, 6, 0]
    assert choose_views(some, 1).tolist() == [2]
    assert choose_views(some, 6).tolist() == [2, 8, 6, 4, 10, 0]


def test_few_clusters_show_further_views(maps):
    assert choose_views(maps([1e13, 1e15]), 3).tolist() == [2, 0, 1]
    assert choose_views(maps([1e13, 1e15]), 9).tolist() == [2, 0, 1, 3]


def test_unknown_masses_come_in_order(maps):
    assert choose_views(maps([np.nan] * 3), 2).tolist() == [0, 2]
    with pytest.raises(DomainError, match="`n`"):
        choose_views(maps([1e13]), 0)


def test_directions_have_names():
    assert direction_name(np.array([0.5**0.5, -(0.5**0.5), 0])) == "diagonal"
    assert direction_name(np.array([0.6, 0.8, 0])) == "(0.60, 0.80, 0.00)"


@pytest.mark.parametrize("masses", [[1e13, 1e15, 3e14], [np.nan]], ids=["masses", "none"])
@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_picture_and_numbers(maps, tmp_path, masses, suffix):
    some = maps(masses)
    picture, table = draw_maps(some, tmp_path / f"maps{suffix}", n=2)
    assert picture.read_bytes()[:4] in (b"\x89PNG", b"%PDF")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    shown = choose_views(some, 2)
    assert len(rows) == 4 * len(shown)
    assert [int(row["view"]) for row in rows[::4]] == shown.tolist()
    image = some.images[shown[0], 1]
    assert float(rows[1]["peak"]) == pytest.approx(image.max(), rel=1e-5)
    assert float(rows[1]["total"]) == pytest.approx(image.sum(dtype=float), rel=1e-4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["maps.csv", "maps.h5", f"maps{suffix}"]


def test_images_without_any_signal_are_drawn(maps, tmp_path):
    from dataclasses import replace

    some = maps([1e14], n_channels=1)
    draw_maps(replace(some, channels=(ChannelRecord("stars", "", 0.0, 0.0),)), tmp_path / "a.png", n=1)


def test_words_beside_the_panels_fit(maps):
    """Also where all numbers of a direction are negative: nothing is cut off at the edge of the picture."""
    some = maps([1e14, 1e15])
    some.views["direction"][:] = np.array([-0.48, -0.60, -0.64])
    rows = choose_views(some, 2)
    figure = _draw(some, rows, some.read_images(rows))
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.texts]
    assert all("(-0.48, -0.60, -0.64)" in text.get_text() for text in figure.texts)
    assert len(boxes) == 2
    assert min(box.x0 for box in boxes) >= 0
    assert max(box.x1 for box in boxes) <= min(axes.get_window_extent().x0 for axes in figure.axes)
    assert boxes[1].y1 < boxes[0].y0, "rows do not run into each other"


def test_other_suffixes_are_refused(maps, tmp_path):
    with pytest.raises(DomainError, match=r"\.png, \.pdf or \.svg"):
        draw_maps(maps([1e14]), tmp_path / "maps.h5")


def test_without_matplotlib_the_remedy_is_named(maps, tmp_path, monkeypatch):
    some = maps([1e14])
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clustermass\[plot\]'"):
        draw_maps(some, tmp_path / "maps.png")


def test_command(maps, tmp_path, capsys):
    maps([1e14, 1e13])
    assert main.run(["preview", str(tmp_path / "maps.h5"), "--out", str(tmp_path / "a.png"), "--n", "1"]) == 0
    assert "a.png: picture" in capsys.readouterr().out
    assert main.run(["preview", str(tmp_path / "none.h5"), "--out", str(tmp_path / "a.png")]) == 2
    (tmp_path / "bad.h5").write_bytes(b"bad")
    assert main.run(["preview", str(tmp_path / "bad.h5"), "--out", str(tmp_path / "a.png")]) == 3
