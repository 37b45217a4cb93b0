"""Tables and figure of an explained network on galaxies."""

import numpy as np
import pytest

from clustermass.interpretation.galaxies import GalaxySaliency
from clustermass.report.saliency import write_saliency
from clustermass.report.tables import read_csv

pytest.importorskip("matplotlib")


def made(n=6, size=12):
    """Influence that is the speed in units of 1e5 km/s, for members and interlopers alike."""
    rng = np.random.default_rng(1)
    velocity = rng.uniform(-2000, 2000, n * size)
    return GalaxySaliency(
        "toy", "M200c", np.arange(n).astype(str), np.linspace(14.9, 13.9, n), size * np.arange(n + 1),
        np.arange(n * size), velocity, rng.uniform(0, 2, n * size), np.abs(velocity) * 1e-5, velocity * 0, velocity * 0,
        None, np.linspace(-2000, 2000, 8), np.linspace(0, 2, 5), rng.normal(0, 1e-3, (n, 8, 5)),
    )  # fmt: skip


def test_the_folder_of_saliency_says_what_was_put_in(tmp_path):
    found = made()
    member = np.arange(72) % 3 > 0
    said = write_saliency(tmp_path / "why", found, bins=3, is_member=member, record={"command": "here"})
    assert found.bins(3).tolist() == [2, 2, 1, 1, 0, 0], "by rising mass"
    rows = read_csv(tmp_path / "why" / "galaxies.csv")
    assert len(rows) == 72
    assert rows[5]["influence_dex"] == pytest.approx(abs(found.velocity[5]) * 1e-5, rel=1e-5)
    assert [row["is_member"] for row in rows] == member.astype(int).tolist()
    bins = read_csv(tmp_path / "why" / "saliency_bins.csv")
    whole = [row for row in bins if row["galaxies"] == "all" and row["speed_low_km_s"] == 0]
    assert sum(row["n"] for row in whole if row["speed_high_km_s"] == np.inf) == 72
    fast = [row for row in bins if row["speed_low_km_s"] == 1700]
    assert all(0.017 <= row["mean_influence_dex"] <= 0.02 for row in fast)
    assert {row["galaxies"] for row in bins} == {"all", "members", "interlopers"}
    assert len(said) == 3
    assert "mdex" in said[0]
    assert (tmp_path / "why" / "saliency.png").stat().st_size > 30_000
    assert "here" in (tmp_path / "why" / "saliency.json").read_text()
