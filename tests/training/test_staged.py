"""Stages: what is frozen stays, a new head learns spreads, outliers are chosen by mass and kept only where better."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")

from clustermass.errors import DomainError  # noqa: E402
from clustermass.models.networks.heads import GaussianHead, MassNetwork, PointHead  # noqa: E402
from clustermass.models.networks.layers import dense  # noqa: E402
from clustermass.training.loop import Fold, History, Trained, train_members  # noqa: E402
from clustermass.training.preset import Stage  # noqa: E402
from clustermass.training.settings import TrainingSettings  # noqa: E402
from clustermass.training.staged import _better, _worst, bad_masses, train_stages  # noqa: E402

from .problem import CPU, Table  # noqa: E402

SETTINGS = TrainingSettings(epochs=25, batch_size=40, learning_rate=0.01, patience=25, flip=False, seed=3)
HEAD, OUTLIERS = Stage("head", 25, 0.01), Stage("outliers", 4, 0.003)


class Trunk(torch.nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.first, self.dense, self.output = dense([3, 12]), dense([12, 8]), torch.nn.Linear(8, outputs)

    def forward(self, x):
        return self.output(self.dense(self.first(x)))


def make(kind):
    head = {"point": PointHead, "gaussian": GaussianHead}[kind]()
    return MassNetwork(Trunk(head.outputs), head)


@pytest.fixture
def problem():
    """y is noisy where the second column is positive: only a spread can tell."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 3))
    spread = np.where(x[:, 1] > 0, 0.3, 0.02)
    y = (0.5 * x[:, 0] + spread * rng.normal(size=400)).astype(np.float32)
    rows = np.arange(400)
    folds = [Fold(rows[rows % 4 != k], rows[rows % 4 == k]) for k in range(2)]
    return Table(x), np.tile(y, (2, 1)), folds, x


def test_a_new_head_on_a_frozen_trunk(problem):
    inputs, y, folds, x = problem
    run = (inputs, y, folds, SETTINGS)
    point = train_members(lambda: make("point"), *run, device=CPU)
    got = train_stages(make, "gaussian", [HEAD], *run, device=CPU)
    assert len(got.history.train) == len(point.history.train) + 25
    for before, after in zip(point.states, got.states, strict=True):
        assert set(before) == set(after)
        for name in before:
            same = name.startswith("trunk.first")
            assert torch.equal(before[name], after[name]) == same, name
    network = make("gaussian")
    network.load_state_dict(got.states[0])
    with torch.no_grad():
        outputs = network.trunk(torch.as_tensor(x, dtype=torch.float32))
    noisy = x[:, 1] > 0
    spread = torch.exp(0.5 * outputs[:, 1]).numpy()
    assert spread[noisy].mean() > 1.4 * spread[~noisy].mean()
    assert np.std(outputs[:, 0].numpy()[~noisy] - y[0][~noisy]) < 0.2


def test_outliers_lower_the_validation_loss_or_are_dropped(problem):
    inputs, y, folds, _ = problem
    run = (inputs, y, folds, dataclasses.replace(SETTINGS, epochs=3))
    first = train_members(lambda: make("point"), *run, device=CPU)
    got = train_stages(make, "point", [OUTLIERS], *run, device=CPU)
    losses = np.array(got.history.validate)
    for member in range(2):
        old = first.history.validate[first.epochs[member] - 1][member]
        assert losses[got.epochs[member] - 1, member] <= old
    worse = train_stages(make, "point", [Stage("outliers", 2, 3.0)], *run, device=CPU)
    assert worse.epochs == first.epochs
    for one, other in zip(first.states, worse.states, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_stages_go_on_from_their_checkpoints(problem, tmp_path):
    inputs, y, folds, _ = problem
    run = (inputs, y, folds, dataclasses.replace(SETTINGS, epochs=3))
    stages = [dataclasses.replace(OUTLIERS, epochs=2), dataclasses.replace(HEAD, epochs=3)]
    whole = train_stages(make, "gaussian", stages, *run, device=CPU)
    path, seen = tmp_path / "run.checkpoint", []

    def stop(epoch, history):
        seen.append(epoch)
        if len(seen) == 7:  # the head's second epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_stages(make, "gaussian", stages, *run, device=CPU, checkpoint=path, on_epoch=stop)
    after = train_stages(make, "gaussian", stages, *run, device=CPU, checkpoint=path, on_epoch=stop)
    assert seen == [1, 2, 3, 1, 2, 1, 2, 3], "nothing is done twice"
    for one, other in zip(whole.states, after.states, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_bad_masses_are_those_of_bad_bins():
    rng = np.random.default_rng(2)
    y = rng.uniform(-1, 1, 500)
    residual = np.where(np.abs(y) > 0.8, 0.5, 0.05) * rng.normal(size=500)
    got = bad_masses(y, residual)
    np.testing.assert_array_equal(got, np.abs(y - 0.5 * (y.min() + y.max())) > 0.8 * 0.5 * np.ptp(y))
    assert bad_masses(np.zeros(3), np.ones(3)).all()


def test_outliers_need_validation(problem):
    inputs, y, folds, _ = problem
    alone = [Fold(fold.train, fold.validate[:0]) for fold in folds]
    settings = dataclasses.replace(SETTINGS, patience=None, epochs=1)
    with pytest.raises(DomainError, match="patience"):
        train_stages(make, "point", [OUTLIERS], inputs, y, alone, settings, device=CPU)


class Given:
    """A network whose estimate is the first column."""

    def __init__(self):
        self.head, self.trunk, self.loaded = self, lambda x: x[:, 0], []

    def load_state_dict(self, state):
        self.loaded.append(state)

    def eval(self):
        return self

    def mean(self, outputs):
        return outputs


def test_a_second_training_sees_the_clusters_that_the_first_did_badly():
    y = np.linspace(-1, 1, 200).astype(np.float32)
    x = np.zeros((200, 3), np.float32)
    x[:, 0] = np.where(y > 0.6, y - 0.3, y + 0.01)
    rows, states = np.random.default_rng(1).permutation(200), [{"a": 1}, {"a": 2}]
    folds, network = [Fold(rows[:150], rows[150:]), Fold(rows[50:], rows[:50])], Given()
    got = _worst(network, states, Table(x), np.stack([y, y]), folds)
    assert network.loaded == states
    for before, after in zip(folds, got, strict=True):
        assert set(after.train) == set(before.train[y[before.train] > 0.6])
        np.testing.assert_array_equal(after.validate, before.validate)


def test_the_better_of_two_trainings_is_kept_for_each_member():
    before = Trained(["a0", "a1"], [2, 1], History([[0, 0]] * 3, [[0.5, 0.3], [0.4, 0.6], [0.9, 0.9]], [1.0] * 3))
    after = Trained(["b0", "b1"], [2, 1], History([[0, 0]] * 2, [[0.2, 0.35], [0.39, 0.1]], [1.0] * 2))
    got = _better(before, after)
    assert got.states == ["b0", "a1"]
    assert got.epochs == [5, 1]
    assert len(got.history.train) == len(got.history.validate) == 5


def test_a_stage_has_its_own_rate_and_epochs(problem, monkeypatch):
    from clustermass.training import staged

    inputs, y, folds, _ = problem
    used, train = [], staged.train_members
    monkeypatch.setattr(staged, "train_members", lambda *a, **k: used.append(a[4]) or train(*a, **k))
    settings = dataclasses.replace(SETTINGS, epochs=2)
    train_stages(make, "gaussian", [dataclasses.replace(OUTLIERS, epochs=1), HEAD], inputs, y, folds, settings,
                 device=CPU)  # fmt: skip
    assert [(s.learning_rate, s.epochs) for s in used] == [(0.01, 2), (0.003, 1), (0.01, 2)]
