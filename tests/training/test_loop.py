"""Training: members are independent, a run that was stopped ends with the same bits, and nonsense stops it."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")

from clustermass.errors import FileFormatError, TrainingError  # noqa: E402
from clustermass.features.keys import mixed_seed  # noqa: E402
from clustermass.models.networks.heads import FlowHead, GaussianHead, MassNetwork  # noqa: E402
from clustermass.training.loop import ALONE, Fold, _Run, train_members  # noqa: E402
from clustermass.training.members import Members, bound_weights  # noqa: E402
from clustermass.training.presets import build_network  # noqa: E402
from clustermass.training.settings import TrainingSettings  # noqa: E402

from .problem import CPU, Even, Table, folds, make  # noqa: E402
from .problem import problem as make_problem  # noqa: E402


@pytest.fixture
def problem():
    return make_problem()


def test_members_learn(problem):
    inputs, y = problem
    settings = TrainingSettings(epochs=60, batch_size=30, learning_rate=0.01, seed=1)
    got = train_members(make, inputs, np.tile(y, (3, 1)), folds(), settings, device=CPU)
    assert (np.array(got.history.validate[-1]) < 0.15 * y.var()).all(), "constant predictors have the variance"
    assert got.history.validate[0] > got.history.validate[-1]


def test_inner_products_of_half_precision_learn_too(problem):
    """Other numbers, weights of float32, and nearly the same loss."""
    inputs, y = problem
    settings = TrainingSettings(epochs=25, batch_size=30, learning_rate=0.02, seed=1)
    arguments = (make, inputs, np.tile(y, (3, 1)), folds())
    got = train_members(*arguments, replace(settings, precision="bfloat16"), device=CPU)
    assert (np.array(got.history.validate[-1]) < 0.15 * y.var()).all(), "constant predictors have the variance"
    assert all(value.dtype == torch.float32 for state in got.states for value in state.values())
    one = train_members(*arguments, replace(settings, epochs=1), device=CPU)
    half = train_members(*arguments, replace(settings, epochs=1, precision="bfloat16"), device=CPU)
    assert not torch.equal(one.states[0]["trunk.output.weight"], half.states[0]["trunk.output.weight"])


def test_a_member_does_not_depend_on_the_others(problem):
    """Alone or in company: the same weights to rounding. Other random numbers of dropout are switched off."""
    inputs, y = problem
    settings = TrainingSettings(epochs=4, batch_size=300, seed=1)

    def plain():
        return make(dropout=0.0)

    together = train_members(plain, inputs, np.tile(y, (3, 1)), folds(), settings, device=CPU)
    alone = train_members(plain, inputs, y[None], folds()[:1], settings, device=CPU)
    for name, value in alone.states[0].items():
        torch.testing.assert_close(value, together.states[0][name], rtol=1e-4, atol=1e-6)
        if value.ndim > 1:
            assert not torch.allclose(value, together.states[1][name], atol=1e-3)


@pytest.mark.parametrize("name", ["cnn-1d", "cnn-2d"])
def test_stacked_convolutions_are_those_of_each_member(name):
    """Losses and gradients of networks stacked, and of each of them alone."""
    cells = (48,) if name == "cnn-1d" else (48, 48)
    x, y = torch.rand(2, 5, *cells), torch.rand(2, 5)

    def network():
        return build_network(name, {"head": "gaussian", "dropout": 0.0}, cells)

    members = Members(network, [1, 2], CPU)
    got = members.losses(y, x)
    got.sum().backward()
    for member in range(2):
        torch.manual_seed(member + 1)
        alone = network()
        expected = alone(y[member], x[member])
        expected.sum().backward()
        torch.testing.assert_close(got[member], expected)
        for key, value in alone.named_parameters():
            torch.testing.assert_close(members.parameters[key].grad[member], value.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimiser", ["adam", "rmsprop"])
def test_a_stopped_run_ends_with_the_same_bits(problem, tmp_path, optimiser):
    inputs, y = problem
    settings = TrainingSettings(epochs=6, batch_size=40, patience=4, seed=5, optimiser=optimiser)
    args = (lambda: make(GaussianHead), inputs, np.tile(y, (3, 1)), folds(), settings)
    whole = train_members(*args, device=CPU)
    path = tmp_path / "run.checkpoint"

    def stop(epoch, history):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_members(*args, device=CPU, checkpoint=path, on_epoch=stop)
    seen = []
    after = train_members(*args, device=CPU, checkpoint=path, on_epoch=lambda epoch, _: seen.append(epoch))
    assert seen == [4, 5, 6], "only the epochs that were missing"
    assert after.epochs == whole.epochs
    assert after.history.train == whole.history.train
    for one, other in zip(whole.states, after.states, strict=True):
        for name in one:
            assert torch.equal(one[name], other[name]), name


def test_a_checkpoint_of_another_run_is_refused(problem, tmp_path):
    inputs, y = problem
    path, y = tmp_path / "run.checkpoint", np.tile(y, (3, 1))
    train_members(make, inputs, y, folds(), TrainingSettings(epochs=1, seed=5), device=CPU, checkpoint=path)
    for changes in (dict(seed=6), dict(learning_rate=1e-4)):
        with pytest.raises(FileFormatError, match="other settings"):
            train_members(
                make, inputs, y, folds(), TrainingSettings(**dict(epochs=1, seed=5) | changes), device=CPU,
                checkpoint=path,
            )  # fmt: skip

    settings = TrainingSettings(epochs=1, seed=5)
    other = Table(inputs.values.numpy() + np.float32(1e-6))
    moved = [Fold(fold.train, fold.validate[1:]) for fold in folds()]
    for network, data, parts in (
        (lambda: make(GaussianHead), inputs, folds()),
        (lambda: make(dropout=0.2), inputs, folds()),
        (make, other, folds()),
        (make, inputs, moved),
    ):
        with pytest.raises(FileFormatError, match="another network"):
            train_members(network, data, y, parts, settings, device=CPU, checkpoint=path)
    train_members(make, inputs, y, folds(), settings, device=CPU, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(FileFormatError):
        train_members(make, inputs, y, folds(), TrainingSettings(epochs=1, seed=5), device=CPU, checkpoint=path)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_state(problem, tmp_path):
    inputs, y = problem
    path = tmp_path / "run.checkpoint"
    settings, sound = TrainingSettings(epochs=5, batch_size=40, seed=5), inputs.values.clone()

    def poison(epoch, history):
        inputs.values[folds()[1].train] = float("nan")

    with pytest.raises(TrainingError, match="epoch 2"):
        train_members(make, inputs, np.tile(y, (3, 1)), folds(), settings, device=CPU, checkpoint=path, on_epoch=poison)
    assert path.is_file()
    inputs.values = sound
    train_members(make, inputs, np.tile(y, (3, 1)), folds(), settings, device=CPU, checkpoint=path)


def test_patience_keeps_the_best_epoch(problem):
    inputs, _ = problem
    noise = np.random.default_rng(0).normal(size=(1, 300)).astype(np.float32)  # nothing to learn: soon over-fitted
    settings = TrainingSettings(epochs=200, batch_size=40, learning_rate=0.02, patience=3, seed=5)
    got = train_members(make, inputs, noise, folds(1), settings, device=CPU)
    losses = np.array(got.history.validate)[:, 0]
    assert got.epochs == [int(np.argmin(losses)) + 1]
    assert losses.size == got.epochs[0] + 3 < 200


def test_a_member_that_has_stopped_stays_as_it_was(problem):
    """It would not have seen that its loss falls again while others go on."""
    inputs, y = problem
    settings = TrainingSettings(epochs=40, batch_size=40, learning_rate=0.02, patience=1, seed=5)
    got = train_members(make, inputs, np.tile(y, (3, 1)), folds(3), settings, device=CPU)
    losses, expected = np.array(got.history.validate), []
    for member in range(3):
        best = 0
        while best + 1 < len(losses) and losses[best + 1, member] < losses[best, member]:
            best += 1
        expected.append(best + 1)
    assert expected != (losses.argmin(axis=0) + 1).tolist(), "else this shows nothing"
    assert got.epochs == expected


def test_rmsprop_is_that_of_keras(problem):
    """Two steps by hand: v = 0.9 v + 0.1 g^2, w = w - rate g / (sqrt(v) + 1e-7)."""
    inputs, y = problem
    one = [Fold(np.arange(40), np.arange(0))]
    settings = dict(batch_size=40, learning_rate=0.01, optimiser="rmsprop", decay=0.0, flip=False, seed=2)

    def plain():
        return make(dropout=0.0)

    states = []
    for epochs in (1, 2):  # of one step each
        found = train_members(plain, inputs, y[None], one, TrainingSettings(epochs=epochs, **settings), device=CPU)
        states += found.states
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mixed_seed(2, 0))
        network = plain()
    square = {name: torch.zeros_like(value) for name, value in network.named_parameters()}
    for state in states:
        network.zero_grad()
        network(torch.as_tensor(y[:40]), inputs.values[:40]).mean().backward()
        with torch.no_grad():
            for name, value in network.named_parameters():
                square[name] = 0.9 * square[name] + 0.1 * value.grad**2
                value -= 0.01 * value.grad / (square[name].sqrt() + 1e-7)
                torch.testing.assert_close(state[name], value, rtol=1e-4, atol=1e-5)


def a_run(problem, **settings):
    inputs, y = problem
    members = Members(make, [1], CPU)
    return _Run(members, inputs, y[None], folds(1), TrainingSettings(**settings), ALONE)


def test_rates_fall_as_published_or_like_a_cosine(problem):
    run = a_run(problem, learning_rate=0.1, decay=0.01)
    assert [run._rate(step) for step in (0, 100, 900)] == pytest.approx([0.1, 0.05, 0.01])
    run = a_run(problem, learning_rate=0.1, schedule="cosine", epochs=100)
    whole = 100 * run.steps
    rise = whole // 20
    assert [run._rate(step) for step in (0, rise // 2 - 1)] == pytest.approx([0.1 / rise, 0.1 * (rise // 2) / rise])
    assert run._rate(whole // 2) == pytest.approx(0.05)
    assert run._rate(whole // 4) == pytest.approx(0.05 + 0.05 * 0.5**0.5)
    assert 0 < run._rate(whole - 1) < 1e-5


def test_weights_decay_by_the_sum_of_their_squares_and_biases_do_not(problem):
    optimiser = a_run(problem, weight_decay=0.003).optimiser
    assert type(optimiser) is torch.optim.Adam, "decay is part of the loss, as in Keras, not of the step"
    decay = {value.ndim: group["weight_decay"] for group in optimiser.param_groups for value in group["params"]}
    assert decay == {3: 0.006, 2: 0.0}, "the gradient of 0.003 w^2; with the axis of members"


def test_a_checkpoint_keeps_the_best_state_apart_from_the_last(problem):
    run, other = a_run(problem, patience=2), a_run(problem, patience=2)
    run.one_epoch()
    run.members.put_state({name: value + 1.0 for name, value in run.best.items()})
    other.restore(*run.snapshot())
    last = other.members.copy_state()
    for name, value in run.best.items():
        assert torch.equal(other.best[name], value)
        assert torch.equal(last[name], value + 1.0)


def test_max_norm_bounds_all_weights_but_the_last_layer(problem):
    inputs, y = problem
    settings = TrainingSettings(epochs=3, batch_size=40, learning_rate=0.3, max_norm=0.5, seed=5)
    got = train_members(make, inputs, y[None], folds(1), settings, device=CPU)
    norms = {name: value.norm(dim=-1).max() for name, value in got.states[0].items() if value.ndim > 1}
    assert norms.pop("trunk.hidden.0.weight") <= 0.5 + 1e-5
    assert norms.pop("trunk.output.weight") > 0.5
    weights = {"a.weight": torch.full((1, 2, 4), 0.1)}
    bound_weights(weights, 1.0)
    torch.testing.assert_close(weights["a.weight"], torch.full((1, 2, 4), 0.1))


def test_users_random_numbers_are_left_alone(problem):
    inputs, y = problem
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    train_members(make, inputs, y[None], folds(1), TrainingSettings(epochs=1), device=CPU)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_flows_draw_no_random_numbers_of_users(problem, tmp_path):
    """They do when they say what they are, which the fingerprint of a checkpoint asks for."""
    pytest.importorskip("zuko", reason="zuko is not installed")
    inputs, y = problem
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    for _ in range(2):  # the second goes on from the first: the fingerprint is the same
        train_members(
            lambda: MassNetwork(Even(4), FlowHead(context=4, transforms=1, hidden=(4,))), inputs, y[None], folds(1),
            TrainingSettings(epochs=1), device=CPU, checkpoint=tmp_path / "run.checkpoint",
        )  # fmt: skip
    assert torch.equal(torch.random.get_rng_state(), before)
