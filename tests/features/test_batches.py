"""PhaseSpaceBatcher: every step from (seed, step) alone, and made of what it says."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import ArrayError, DomainError, MissingDependencyError

torch = pytest.importorskip("torch", reason="torch is not installed")

AXES = [(-3.0, 3.0, 24), (0.0, 2.0, 12)]
RICHNESS = (30, 0, 1, 55, 12, 200, 9)


def catalogue(dtype=np.float64):
    rng = np.random.default_rng(2)
    n = sum(RICHNESS)
    return np.column_stack([rng.normal(0.4, 1.0, n), rng.uniform(0, 2, n)]).astype(dtype), np.cumsum([0, *RICHNESS])


def batcher(**changes):
    points, offsets = catalogue()
    how = dict(axes=AXES, batch_size=3, seed=11, fraction=(0.3, 1.0), velocity_error=0.2) | changes
    return cm.PhaseSpaceBatcher(how.pop("points", points), how.pop("offsets", offsets), **how)


def test_without_chance_it_is_estimate_density():
    points, offsets = catalogue()
    want = cm.estimate_density(points, offsets, axes=AXES)
    seen = []
    for items, grids in batcher(fraction=1.0, velocity_error=0.0, flip=False).epoch(4):
        np.testing.assert_allclose(grids.numpy(), want[items.numpy()], rtol=1e-9, atol=1e-14)  # a draw has no order
        seen += items.tolist()
    assert sorted(seen) == list(range(len(RICHNESS)))


def test_a_step_needs_no_history():
    first, second = batcher(), batcher()
    forward = [first.batch(step) for step in range(9)]
    for step in (8, 0, 5, 2):
        again = second.batch(step)
        assert torch.equal(again.items, forward[step].items)
        assert torch.equal(again.grids, forward[step].grids)
    assert not torch.equal(batcher(seed=12).batch(0).grids, forward[0].grids)
    orders = [torch.cat([b.items for b in first.epoch(n)]).tolist() for n in range(3)]
    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_bits_do_not_depend_on_threads(n_threads):
    assert torch.equal(batcher(n_threads=n_threads).batch(1).grids, batcher().batch(1).grids)


def test_backends_agree():
    for step in range(2):
        native, twin = (batcher(backend=name).batch(step) for name in ("native", "numba"))
        assert torch.equal(native.items, twin.items)
        torch.testing.assert_close(native.grids, twin.grids, rtol=1e-9, atol=1e-14)


def test_a_cluster_does_not_depend_on_the_others_of_its_batch():
    """Step 0 with all clusters at once against step 0 with three: what both hold is equal."""
    whole, part = batcher(batch_size=7).batch(0), batcher(batch_size=3).batch(0)
    for item, grid in zip(part.items.tolist(), part.grids, strict=True):
        assert torch.equal(whole.grids[whole.items.tolist().index(item)], grid)


def drawn(monkeypatch, step=0, **changes):
    """What reaches estimate_density: (items, points of each cluster)."""
    seen = []

    def spy(points, offsets, **kwargs):
        seen.append((points.numpy().copy(), offsets.numpy().copy()))
        return torch.zeros(len(offsets) - 1, 24, 12)

    monkeypatch.setattr("clustermass.features.batches.estimate_density", spy)
    items = batcher(**changes).batch(step).items.tolist()
    points, offsets = seen[0]
    return items, [points[a:b] for a, b in pairwise(offsets)]


def test_sub_samples_are_members_without_repeats(monkeypatch):
    points, offsets = catalogue()
    items, parts = drawn(monkeypatch, batch_size=7, fraction=0.5, velocity_error=0.0, flip=False)
    for item, part in zip(items, parts, strict=True):
        assert len(part) == int(0.5 * RICHNESS[item] + 0.5)
        own = {tuple(row) for row in points[offsets[item] : offsets[item + 1]]}
        assert len({tuple(row) for row in part}) == len(part)
        assert {tuple(row) for row in part} <= own
    again, others = drawn(monkeypatch, 1, batch_size=7, fraction=0.5, velocity_error=0.0, flip=False)
    assert not np.array_equal(parts[items.index(5)], others[again.index(5)])  # drawn anew at every step


def test_sizes_are_given_on_the_host_so_that_no_step_reads_them_back(monkeypatch):
    given = []

    def spy(offsets, *, count, items, **rest):
        given.append((offsets, count, items))
        return cm.draw_subsamples(offsets, count=count, items=items, **rest)

    monkeypatch.setattr("clustermass.features.batches.draw_subsamples", spy)
    source = batcher()
    batch = source.batch(1)
    [(offsets, count, items)] = given
    assert type(offsets) is type(count) is np.ndarray
    assert items is batch.items
    assert items.device == source.points.device


def test_fractions_lie_between_the_two(monkeypatch):
    shares = []
    for step in range(40):
        items, parts = drawn(monkeypatch, step, batch_size=7, fraction=(0.3, 0.8))
        shares += [len(p) / RICHNESS[i] for i, p in zip(items, parts, strict=True) if RICHNESS[i] == 200]
    assert min(shares) >= 0.3
    assert max(shares) <= 0.8
    assert np.std(shares) > 0.1  # uniform: 0.144; forty of them


def test_errors_and_flips_touch_the_velocity_alone(monkeypatch):
    how = dict(batch_size=7, fraction=1.0)
    signs, away = [], []
    for step in range(30):
        items, plain = drawn(monkeypatch, step, **how, velocity_error=0.0, flip=False)
        _, flipped = drawn(monkeypatch, step, **how, velocity_error=0.0, flip=True)
        _, noisy = drawn(monkeypatch, step, **how, velocity_error=0.2, flip=False)
        for item, a, b, c in zip(items, plain, flipped, noisy, strict=True):
            np.testing.assert_array_equal(a[:, 1], b[:, 1])
            np.testing.assert_array_equal(a[:, 1], c[:, 1])
            if RICHNESS[item] > 0:
                ratio = np.unique(b[:, 0] / a[:, 0])
                assert ratio.size == 1
                signs.append(ratio[0])
                away.append(c[:, 0] - a[:, 0])
    error = np.concatenate(away) / 0.2
    assert abs(error.mean()) < 5.5 / np.sqrt(error.size)  # normal numbers: chance 4e-8
    assert abs(error.std() - 1) < 5.5 / np.sqrt(2 * error.size)
    assert np.unique(error).size > 0.999 * error.size  # of every galaxy and step its own; float32 numbers may coincide
    assert set(signs) == {-1.0, 1.0}
    assert abs(np.mean(signs)) < 5.5 / np.sqrt(len(signs))


def test_float32_and_tensors_stay_what_they_are():
    points, offsets = catalogue(np.float32)
    kept = points.copy()
    grids = batcher(points=torch.from_numpy(points), offsets=torch.from_numpy(offsets)).batch(0).grids
    assert grids.dtype == torch.float32
    assert "7 clusters, 307 galaxies on cpu, 3 steps of 3 per epoch" in repr(batcher())
    np.testing.assert_array_equal(points, kept)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(points=np.zeros(5)), ArrayError, "points"),
        (dict(points=torch.zeros(5, 2, dtype=torch.int64)), ArrayError, "points"),
        (dict(offsets=[0, 3]), ArrayError, "offsets"),
        (dict(points=np.zeros((0, 2)), offsets=[0]), ArrayError, "at least one cluster"),
        (dict(batch_size=0), DomainError, "batch_size"),
        (dict(seed=-1), DomainError, "seed"),
        (dict(fraction=1.5), DomainError, "fraction"),
        (dict(fraction=(0.8, 0.2)), DomainError, "fraction"),
        (dict(velocity_column=2), DomainError, "velocity_column"),
        (dict(velocity_error=-1), DomainError, "velocity_error"),
        (dict(n_threads=0), DomainError, "n_threads"),
    ],
)
def test_errors_name_the_argument(change, error, message):
    with pytest.raises(error, match=message):
        batcher(**change)
    with pytest.raises(DomainError, match="step"):
        batcher().batch(-1)


def test_torch_is_asked_for_by_name(monkeypatch):
    points, offsets = catalogue()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r"clustermass\[ml\]"):
        cm.PhaseSpaceBatcher(points, offsets, axes=AXES, batch_size=2, seed=1)
