"""Every argument of every statistic: NaN, wrong lengths and types, no rows: a named error or a defined answer."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from clustermass import evaluation
from clustermass.errors import ArrayError, BadInputError, ClusterMassError, DomainError, DTypeError
from clustermass.models.posterior import MassPosterior

N = 12
random = np.random.default_rng(0)
MASS, EPSILON, UNIT = random.uniform(14, 15, N), random.normal(0, 0.1, N), random.uniform(0.05, 0.95, N)
POSITIVE = random.uniform(1, 5, N)
NORMAL = MassPosterior.from_gaussian(MASS, 0.1, "M200c")
FEW = {"n_bootstrap": 100}

# name -> (function, arrays of one value a row, other arguments)
ROWWISE = {
    "log_residuals": (dict(log10_pred=MASS, log10_true=MASS), {}),
    "summarise_residuals": (dict(epsilon=EPSILON), FEW),
    "summarise_in_bins": (dict(epsilon=EPSILON, by=UNIT), dict(edges=[0.0, 0.5, 1.0]) | FEW),
    "linear_summary": (dict(log10_pred=MASS, log10_true=MASS), FEW),
    "linear_summary_by_redshift": (dict(log10_pred=MASS, log10_true=MASS, redshift=UNIT), {}),
    "pit_values": (dict(log10_true=MASS), dict(posterior=NORMAL)),
    "tarp_values": (dict(log10_true=MASS), dict(posterior=NORMAL)),
    "sbc_ranks": (dict(log10_true=MASS), dict(samples=random.uniform(14, 15, (N, 5)))),
    "uniformity": (dict(values=UNIT), {}),
    "central_coverage": (dict(pit=UNIT), {}),
    "tarp_distance": (dict(values=UNIT), {}),
    "expected_coverage": (dict(values=UNIT), dict(levels=[0.5])),
    "tarp_from_samples": (dict(truth=MASS), dict(samples=random.uniform(14, 15, (N, 5)))),
    "check_calibration": (dict(pit=UNIT, tarp=UNIT, log10_pred=MASS, richness=POSITIVE), {}),
    "holm": (dict(p_values=UNIT), {}),
    "compare_estimators": (dict(first=EPSILON, second=EPSILON[::-1]), FEW),
    "fit_richness_scatter": (dict(epsilon=EPSILON, richness=POSITIVE), {}),
    "bias_by_contamination": (dict(epsilon=EPSILON, purity=UNIT), FEW),
    "bias_by_interloper": (
        dict(epsilon=EPSILON, mass_ratio=np.where(np.arange(N) < 8, POSITIVE, 0.0), distance=POSITIVE[::-1]),
        FEW,
    ),
    "phase_space_distance": (
        dict(velocity=EPSILON),
        dict(offsets=np.ones((N, 2)), r200=np.ones((N, 2)), v200=np.ones((N, 2))),
    ),
    "recovered_mass_function": (dict(log10_mass=MASS, weights=UNIT), dict(edges=[14.0, 15.0], volume=1.0) | FEW),
    "completeness_in_bins": (dict(log10_true=MASS), dict(is_found=UNIT > 0.5, edges=[14.0, 15.0])),
}
CASES = [(name, argument) for name, (arrays, _) in ROWWISE.items() for argument in arrays]


def call(name, **changes):
    arrays, others = ROWWISE[name]
    return getattr(evaluation, name)(**(arrays | others | changes))


def array_of(name, argument):
    return np.array(ROWWISE[name][0][argument])


def test_every_function_is_in_the_table():
    functions = {name for name in evaluation.__all__ if inspect.isfunction(getattr(evaluation, name))}
    own = {name for name in functions if getattr(evaluation, name).__module__.split(".")[-1] not in OF_THE_PROTOCOL}
    # what takes no value a row, or has its own tests of these faults
    assert own - set(ROWWISE) == {
        "edgeworth_count_bias", "expected_mass_function", "find_interloping_clusters", "ranks_to_pit",
    }  # fmt: skip


OF_THE_PROTOCOL = {"protocol", "robustness", "runs", "predictions", "published"}


@pytest.mark.parametrize("name", ROWWISE)
def test_the_table_itself_works(name):
    call(name)


@pytest.mark.parametrize(("name", "argument"), CASES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(name, argument, value):
    bad = array_of(name, argument)
    bad[3] = value
    with pytest.raises(BadInputError, match=f"`{argument}` must .*(index 3|[(]3, 0[)])"):
        call(name, **{argument: bad})


@pytest.mark.parametrize(("name", "argument"), CASES)
def test_wrong_shapes_and_types_are_named(name, argument):
    good = array_of(name, argument)
    with pytest.raises((DTypeError, DomainError), match=f"`{argument}`"):
        call(name, **{argument: np.array(["a"] * N)})
    with pytest.raises((DTypeError, DomainError), match=f"`{argument}`"):
        call(name, **{argument: good.astype(object)})
    with pytest.raises(ArrayError, match=f"`{argument}`"):
        call(name, **{argument: good[:, None, None]})
    if len(ROWWISE[name][0]) > 1 or "samples" in ROWWISE[name][1]:
        with pytest.raises(ArrayError):
            call(name, **{argument: good[:-1]})


@pytest.mark.parametrize("name", ROWWISE)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows_give_an_answer_or_an_error_of_the_package(name, n):
    arrays, others = ROWWISE[name]
    fewer = {key: np.asarray(value)[:n] if np.shape(value)[:1] == (N,) else value for key, value in others.items()}
    if "posterior" in fewer:
        fewer["posterior"] = NORMAL.only(slice(0, n))
    message = ""
    try:
        getattr(evaluation, name)(**{key: value[:n] for key, value in arrays.items()}, **fewer)
    except ClusterMassError as exc:
        message = str(exc)
    assert not message or "`" in message


@pytest.mark.parametrize("name", ROWWISE)
def test_layout_and_type_of_the_arrays_do_not_matter(name):
    """Strided, read-only and big-endian float64 give the bits of the plain array."""
    arrays, _ = ROWWISE[name]
    want = repr(call(name))
    for change in (lambda a: np.repeat(a, 2)[::2], lambda a: a.astype(">f8"), lambda a: list(map(float, a))):
        assert repr(call(name, **{key: change(value) for key, value in arrays.items()})) == want
    locked = {key: np.array(value) for key, value in arrays.items()}
    for value in locked.values():
        value.flags.writeable = False
    assert repr(call(name, **locked)) == want
    assert all((locked[key] == arrays[key]).all() for key in arrays)


GROUPED = [name for name in ROWWISE if "groups" in inspect.signature(getattr(evaluation, name)).parameters]


@pytest.mark.parametrize("name", GROUPED)
def test_groups_may_be_words_and_not_floats(name):
    numbers = np.arange(N) // 2
    words = np.array([f"host {k}" for k in numbers])
    assert repr(call(name, groups=words)) == repr(call(name, groups=numbers))
    with pytest.raises(DTypeError, match="`groups`"):
        call(name, groups=numbers.astype(float))
    with pytest.raises(ArrayError, match="`groups`"):
        call(name, groups=numbers[:-1])
