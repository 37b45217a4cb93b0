"""The picture of cluster observations: which are drawn, with what, and that degenerate ones are drawn too."""

import sys

import numpy as np
import pytest

from clustermass.cli import main
from clustermass.data.clusters_file import read_clusters
from clustermass.errors import DomainError, MissingDependencyError
from clustermass.features.preview_clusters import densities, draw_clusters
from tests.clusters import block, write_clusters

pytest.importorskip("matplotlib")


@pytest.fixture
def path(tmp_path, rng):
    write_clusters(tmp_path / "clusters.hdf5", [block(rng, [30, 12, 40, 20, 15, 90, 11, 12, 13])])
    return tmp_path / "clusters.hdf5"


def test_densities_are_those_of_the_galaxies(path):
    clusters = read_clusters(path)
    got = densities(clusters)
    assert got.shape == (9, 48, 48)
    np.testing.assert_allclose(got.sum(axis=(1, 2)), 1, rtol=1e-5)
    velocity = (np.arange(48) + 0.5) / 48 * 4400 - 2200
    part = slice(*clusters.offsets[5:7])
    kept = np.abs(clusters.velocity[part]) < 2200
    assert (got[5].sum(axis=1) * velocity).sum() == pytest.approx(clusters.velocity[part][kept].mean(), abs=150)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("kind", ["pure", "contaminated"])
def test_pictures_of_any_number(path, tmp_path, n, kind):
    picture = draw_clusters(read_clusters(path, kind), tmp_path / "a.png", n=n)
    assert picture.read_bytes()[:4] == b"\x89PNG"


def texts(path, n, monkeypatch):
    from matplotlib.figure import Figure

    seen = []
    monkeypatch.setattr(Figure, "savefig", lambda self, name, **_: (seen.append(self), open(name, "wb").close()))
    draw_clusters(read_clusters(path), path.with_suffix(".png"), n=n)
    return seen[0]


def test_titles_and_marks_say_the_numbers(path, monkeypatch):
    figure, clusters = texts(path, 2, monkeypatch), read_clusters(path)
    heavy = int(np.argmax(clusters.log10_m200c))
    axes = figure.axes[0]
    title = axes.get_title(loc="left")
    for word in (f"{clusters.log10_m200c[heavy]:.2f}", "M_\\odot", f"N = {clusters.n_galaxies[heavy]}$",
                 f"{clusters.n_members[heavy]} members", f"{clusters.sigma_v[heavy]:.0f}$ km/s"):  # fmt: skip
        assert word in title
    part = slice(*clusters.offsets[heavy : heavy + 2])
    member = clusters.is_member[part]
    drawn = {line.get_marker(): len(line.get_xdata()) for line in axes.lines}
    assert drawn["o"] == member.sum()
    assert drawn["x"] == (~member).sum()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["member", "interloper", "$R_{200c}$"]
    assert axes.get_ylabel() == "velocity [km/s]"
    assert axes.get_xlabel() == "radius on the sky [comoving Mpc]"


def test_few_and_equal_galaxies_are_drawn(tmp_path, rng):
    rows, sizes, galaxies = block(rng, [0, 1, 2, 5])
    galaxies["x"][3:], galaxies["y"][3:], galaxies["velocity"][3:] = 0.2, 0.1, 30.0
    write_clusters(tmp_path / "few.hdf5", [(rows | {"sigma_v": np.full(4, np.nan)}, sizes, galaxies)])
    draw_clusters(read_clusters(tmp_path / "few.hdf5"), tmp_path / "a.png", n=4)


def test_slips(path, tmp_path, rng, monkeypatch):
    clusters = read_clusters(path)
    with pytest.raises(DomainError, match=r"\.png, \.pdf or \.svg"):
        draw_clusters(clusters, tmp_path / "a.txt")
    with pytest.raises(DomainError, match="`n`"):
        draw_clusters(clusters, tmp_path / "a.png", n=0)
    with pytest.raises(DomainError, match="no contaminated observations"):
        draw_clusters(clusters.only([]), tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clustermass\[plot\]'"):
        draw_clusters(clusters, tmp_path / "a.png")


def test_the_command_knows_both_kinds_of_files(path, tmp_path, capsys):
    assert main.run(["preview", str(path), "--out", str(tmp_path / "a.png"), "--n", "1"]) == 0
    assert "a.png: picture of contaminated observations" in capsys.readouterr().out
    assert main.run(["preview", str(path), "--out", str(tmp_path / "b.png"), "--kind", "pure"]) == 0
    assert main.run(["preview", str(path), "--out", str(tmp_path / "b.png"), "--kind", "clean"]) == 2
    assert "--kind knows pure, contaminated" in capsys.readouterr().err
    assert main.run(["preview", str(tmp_path / "none"), "--out", str(tmp_path / "b.png"), "--kind", "pure"]) == 2
