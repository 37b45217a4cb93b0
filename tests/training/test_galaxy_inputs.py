"""Galaxies and summaries as tensors: complete, keyed, and of no cluster that tests."""

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from clustermass.features.phase_space import GRID_PRESETS  # noqa: E402
from clustermass.models.networks.sets import SetNetwork  # noqa: E402
from clustermass.training.galaxy_inputs import RADII, SPEEDS, GalaxyInputs, SummarisedGrids  # noqa: E402
from clustermass.training.inputs import GridInputs  # noqa: E402
from tests.universes import COSMOLOGY  # noqa: E402

REACH, FASTEST = 1.6, 2200.0  # Mpc/h, km/s


class Sample(SimpleNamespace):
    """What inputs read of a catalogue."""

    def __len__(self):
        return len(self.offsets) - 1


def sample(n=40, seed=1, **changes):
    """Clusters whose members have speeds below 1000 km/s and whose interlopers, named by theirs, are above."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 50, n)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    host = np.repeat(np.arange(n), sizes)
    is_member = rng.random(host.size) < 0.6
    speed = np.where(is_member, rng.uniform(0, 1000, host.size), 1000.0 + 20 * host + rng.uniform(0, 9, host.size))
    values = dict(
        offsets=offsets, x=rng.uniform(-1, 1, host.size), y=rng.uniform(-1, 1, host.size), is_member=is_member,
        velocity=speed * rng.choice([-1, 1], host.size), cosmology=COSMOLOGY, fold=np.arange(n) % 4,
        log10_m200c=rng.uniform(14, 15, n),
    )  # fmt: skip
    return Sample(**values | changes)


def inputs(clusters, **options):
    device = torch.device("cpu")
    return GalaxyInputs(clusters, max_radius=REACH, max_velocity=FASTEST, device=device, **options)


def batch(source, rows, key=None):
    rows = np.asarray(rows)
    return source.batch(rows, np.zeros(rows.shape, bool), key)


def of_cluster(got, member, place):
    """Galaxies of one cluster of a batch, in an order of their own, with their weights."""
    galaxies, weight, owner, _ = got
    mine = (owner[member] == place) & (weight[member] > 0)
    table = torch.cat([galaxies[member][mine], weight[member][mine][:, None]], 1).numpy()
    return table[np.lexsort(table.T)]


def test_every_galaxy_in_the_cylinder_is_there_once():
    clusters = sample()
    rows = np.array([[3, 0, 7], [7, 11, 39]])
    got = batch(inputs(clusters), rows)
    reach = REACH / COSMOLOGY.h
    for member, place in np.ndindex(rows.shape):
        part = slice(*clusters.offsets[rows[member, place] :][:2])
        radius, speed = np.hypot(clusters.x[part], clusters.y[part]), np.abs(clusters.velocity[part])
        inside = (radius < reach) & (speed < FASTEST)
        table = of_cluster(got, member, place)
        np.testing.assert_allclose(np.sort(table[:, 0]), np.sort(2 * radius[inside] / reach - 1), atol=1e-5)
        np.testing.assert_allclose(np.sort(table[:, 2]), np.sort(2e-3 * speed[inside] - 1), atol=1e-5)
        assert (table[:, 4] == 1).all()
    assert [tuple(part.shape[:1]) for part in got] == [(2,)] * 4


def test_summaries_are_counts_and_mean_speeds():
    clusters = sample()
    got = batch(inputs(clusters), np.arange(40))[3].double().numpy()
    reach = REACH / COSMOLOGY.h
    for row in range(40):
        part = slice(*clusters.offsets[row:][:2])
        near, velocity = np.hypot(clusters.x[part], clusters.y[part]) / reach, clusters.velocity[part]
        near, velocity = near[np.abs(velocity) < FASTEST], velocity[np.abs(velocity) < FASTEST]
        speed = np.abs(velocity)
        counts = [((near <= r) & (speed <= v)).sum() for r in RADII for v in (*SPEEDS, FASTEST)]
        sums = [(speed[near <= r].sum() / 1000 + 0.5) / ((near <= r).sum() + 1) for r in RADII]
        shift = abs(velocity.sum() / 1000 / (near.size + 1))
        expected = [*(np.log1p(counts) - 3), *(2 * np.log(sums) + 1), 3 * shift]
        np.testing.assert_allclose(got[row], expected, atol=2e-5)


def test_a_mirrored_cluster_is_the_same():
    clusters, rows = sample(), np.arange(40)
    mirrored = inputs(sample(velocity=-clusters.velocity))
    for here, there in zip(batch(inputs(clusters), rows), batch(mirrored, rows), strict=True):
        torch.testing.assert_close(here, there, rtol=0, atol=0)


@pytest.mark.parametrize("options", [dict(subsample=(0.4, 0.9)), dict(exchange=0.3), dict(subsample=(0.5, 1.0),
                         exchange=0.3)], ids=["subsample", "exchange", "both"])  # fmt: skip
def test_what_is_drawn_of_a_cluster_depends_on_the_key_and_on_nothing_else(options):
    source = inputs(sample(), seed=5, **options)
    rows = np.array([[4, 8, 15], [16, 23, 4]])
    got = batch(source, rows, 7)
    again = batch(inputs(sample(), seed=5, **options), rows[::-1, ::-1], 7)
    for member, place in np.ndindex(rows.shape):
        np.testing.assert_array_equal(of_cluster(got, member, place), of_cluster(again, 1 - member, 2 - place))
    np.testing.assert_array_equal(of_cluster(got, 0, 0), of_cluster(got, 1, 2))
    torch.testing.assert_close(got[3], source.summary(rows, 7), rtol=0, atol=0)
    others = [batch(source, rows, 8), batch(inputs(sample(), seed=6, **options), rows, 7)]
    for other in others:
        assert any(of_cluster(got, *at).shape != of_cluster(other, *at).shape
                   or (of_cluster(got, *at) != of_cluster(other, *at)).any() for at in np.ndindex(2, 3))  # fmt: skip
    for here, there in zip(batch(source, rows), batch(inputs(sample()), rows), strict=True):
        assert here.sum() == pytest.approx(there.sum()), "without a key, nothing is drawn"


def test_drawn_galaxies_weigh_as_much_as_all():
    clusters = sample(seed=2)
    source = inputs(clusters, subsample=(0.3, 0.6))
    rows, all_of = np.arange(40), batch(inputs(clusters), np.arange(40))
    _, weight, owner, _ = batch(source, rows, 3)
    found = np.bincount(owner.numpy(), weight.numpy(), 40)
    np.testing.assert_allclose(found, np.bincount(all_of[2].numpy(), all_of[1].numpy(), 40), rtol=1e-5)
    drawn = np.array([of_cluster([p[None] for p in batch(source, rows, 3)], 0, row).shape[0] for row in rows])
    assert 0.3 < drawn.sum() / found.sum() < 0.6


def test_interlopers_come_from_clusters_of_the_same_fold_and_nearly_the_same_mass():
    clusters = sample(60, seed=4)
    source, rows, exchanged = inputs(clusters, exchange=0.1), np.arange(60), 0
    for key in range(20):
        got = [part[None] for part in batch(source, rows, key)]
        for row in rows:
            speed = 500 * (of_cluster(got, 0, row)[:, 2].astype(float) + 1)
            own = np.abs(clusters.velocity[slice(*clusters.offsets[row:][:2])])
            members = np.sort(own[own < 1000])
            np.testing.assert_allclose(np.sort(speed[speed < 999.99]), members, atol=0.01)
            names = np.unique((np.round(speed[speed > 999.99], 2) - 1000) // 20).astype(int)
            assert names.size <= 1, "of one cluster"
            for other in names:
                assert clusters.fold[other] == clusters.fold[row]
                assert abs(clusters.log10_m200c[other] - clusters.log10_m200c[row]) <= 0.1
                exchanged += other != row
                count = (np.abs(clusters.velocity[slice(*clusters.offsets[other:][:2])]) >= 1000).sum()
                assert (speed > 999.99).sum() == count, "all of them"
    assert exchanged > 200


def test_nothing_is_exchanged_where_members_or_folds_are_not_known():
    for missing in ("is_member", "fold", "log10_m200c"):
        clusters = sample(**{missing: None})
        rows = np.arange(40)
        for here, there in zip(
            batch(inputs(clusters, exchange=0.3), rows, 1), batch(inputs(clusters), rows), strict=True
        ):
            torch.testing.assert_close(here, there, rtol=0, atol=0)


def test_empty_clusters_and_batches_pass():
    clusters = sample()
    empty = Sample(**{**vars(clusters), "offsets": np.zeros(5, np.int64), "x": [], "y": [], "velocity": []})
    galaxies, weight, owner, summary = batch(inputs(empty), np.array([[0, 1], [2, 3]]))
    assert weight.sum() == 0
    assert torch.isfinite(summary).all()
    assert owner.shape == (2, 1)
    assert galaxies.shape == (2, 1, 4)
    assert batch(inputs(clusters), np.zeros(0, np.int64))[3].shape == (0, 21)


def test_the_network_takes_what_the_inputs_give_alone_and_stacked():
    from clustermass.models.networks.heads import MassNetwork, PointHead
    from clustermass.training.members import Members

    def make():
        return MassNetwork(SetNetwork(GalaxyInputs.columns, GalaxyInputs.summaries), PointHead())

    rows = np.array([[3, 0, 7], [7, 11, 39]])
    parts = batch(inputs(sample(), subsample=(0.5, 0.9)), rows, 2)
    members = Members(make, [1, 2], torch.device("cpu"))
    y = torch.zeros(2, 3)
    losses = members.losses(y, *parts, training=False)
    for member in range(2):
        network = make()
        network.load_state_dict(members.of_member(members.copy_state(), member))
        torch.testing.assert_close(losses[member], network.eval()(y[member], *(part[member] for part in parts)))


def test_grids_and_their_summaries_are_of_the_same_galaxies(monkeypatch):
    options = dict(subsample=(0.3, 0.6), seed=9)
    clusters, rows, drawn = sample(), np.array([[5, 6]]), []

    def keep(x, y, velocity, offsets, **_):
        drawn.append(2 * np.hypot(x, y) * COSMOLOGY.h / REACH - 1)
        return np.zeros((offsets.size - 1, 48, 48), np.float32)

    monkeypatch.setattr("clustermass.training.inputs.phase_space_grids", keep)
    grids = GridInputs(clusters, GRID_PRESETS["ho2019-2d"], cut=True, device=torch.device("cpu"), **options)
    galaxies = inputs(clusters, **options)
    both = SummarisedGrids(grids, galaxies)
    grid, summary = both.batch(rows, np.array([[False, True]]), 4)
    assert grid.shape == (1, 2, 48, 48)
    torch.testing.assert_close(summary, batch(galaxies, rows, 4)[3], rtol=0, atol=0)
    np.testing.assert_allclose(np.sort(drawn[-1]), np.sort(batch(galaxies, rows, 4)[0][0, :, 0]), atol=1e-5)
    assert both.digest() != SummarisedGrids(grids, inputs(sample(seed=8))).digest()
