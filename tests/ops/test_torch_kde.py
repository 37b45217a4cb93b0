"""Tensors through estimate_density: the same numbers, complete gradients, whole graphs."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import ArrayError, DomainError

torch = pytest.importorskip("torch", reason="torch is not installed")

AXES = {1: [(-2.0, 2.0, 9)], 2: [(-2.0, 2.0, 7), (-1.5, 1.6, 6)], 3: [(-2.0, 2.0, 4), (-2, 2, 5), (-1, 1, 3)]}


def batch(d, richness=(6, 0, 7)):
    rng = np.random.default_rng(d)
    points = torch.tensor(rng.normal(size=(sum(richness), d)))
    return points, torch.tensor(np.cumsum([0, *richness])), torch.tensor(rng.uniform(0.5, 2, sum(richness)))


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("bandwidth", [0.5, "scott", "silverman"])
@pytest.mark.parametrize("normalise", ["sum", "density", "none"])
def test_gradients_are_those_of_finite_differences(d, bandwidth, normalise):
    points, offsets, weights = batch(d)
    how = dict(axes=AXES[d], bandwidth=bandwidth, normalise=normalise)
    points.requires_grad_()
    weights.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p, w: cm.estimate_density(p, offsets, weights=w, **how), (points, weights), atol=1e-7
    )
    assert torch.autograd.gradcheck(lambda p: cm.estimate_density(p, offsets, **how), (points,), atol=1e-7)


def test_gradients_with_a_covariance_of_its_own():
    points, offsets, weights = batch(2)
    how = dict(axes=AXES[2], covariance=torch.tensor([[0.3, 0.1], [0.1, 0.2]]), normalise="density", at="nodes")
    args = (points.requires_grad_(), weights.requires_grad_())
    assert torch.autograd.gradcheck(lambda p, w: cm.estimate_density(p, offsets, weights=w, **how), args, atol=1e-7)


def test_tensors_give_the_numbers_of_arrays(backend):
    points, offsets, weights = batch(2)
    for w in (None, weights):
        grids = cm.estimate_density(points, offsets, axes=AXES[2], weights=w, backend=backend)
        host = None if w is None else w.numpy()
        want = cm.estimate_density(points.numpy(), offsets.numpy(), axes=AXES[2], weights=host, backend=backend)
        np.testing.assert_array_equal(grids.numpy(), want)
    by = cm.differentiate_density(grids, points, offsets, axes=AXES[2], backend=backend)
    want = cm.differentiate_density(want, points.numpy(), offsets.numpy(), axes=AXES[2], backend=backend)
    np.testing.assert_array_equal(by.points.numpy(), want.points)


def test_only_what_is_asked_for_gets_a_gradient():
    points, offsets, weights = batch(2)
    grids = cm.estimate_density(points.float(), offsets, axes=AXES[2], weights=weights.requires_grad_())
    assert grids.dtype == torch.float32
    grids.max().backward()
    assert points.grad is None
    assert weights.grad.dtype == torch.float64
    assert weights.grad.any()


def test_the_operators_keep_the_rules_of_torch():
    points, offsets, weights = batch(2)
    how = ([-2.0, -1.5], [2.0, 1.6], [7, 6], 0.5, "", "centres", "density", 1, "auto")
    args = (points.requires_grad_(), offsets, weights.requires_grad_(), None)
    torch.library.opcheck(torch.ops.clustermass.kde.default, (*args, *how))
    gradient = torch.ones(3, 7, 6, dtype=torch.float64)
    args = (gradient, points.detach(), offsets, weights.detach(), None)
    torch.library.opcheck(torch.ops.clustermass.kde_gradient.default, (*args, *how))


def test_compiled_without_a_break():
    points, offsets, weights = batch(2)

    def loss(p, w):
        return (cm.estimate_density(p * 1.5, offsets, axes=AXES[2], bandwidth="scott", weights=w.exp()) ** 2).sum()

    found = []
    for function in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        p, w = points.clone().requires_grad_(), weights.clone().requires_grad_()
        function(p, w).backward()
        found.append((p.grad, w.grad))
    torch.testing.assert_close(found[0], found[1])


def test_errors_name_the_argument():
    points, offsets, _ = batch(2)
    with pytest.raises(ArrayError, match="points"):
        cm.estimate_density(points, offsets, axes=AXES[1])
    with pytest.raises(ArrayError, match="offsets"):
        cm.estimate_density(points, offsets[None], axes=AXES[2])
    with pytest.raises(DomainError, match="`covariance` must not require gradients"):
        cm.estimate_density(points, offsets, axes=AXES[2], covariance=torch.eye(2, requires_grad=True))
    with pytest.raises(DomainError, match="bandwidth"):
        cm.estimate_density(points, offsets, axes=AXES[2], bandwidth="wide")
