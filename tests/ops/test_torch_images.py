"""Tensors through the public ops: beam, noise and sub-samples, and an import that loads no torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import ArrayError, DomainError
from clustermass.ops.beam import beam_adjoint

torch = pytest.importorskip("torch", reason="torch is not installed")


def images(shape=(2, 3, 10, 9)):
    return torch.tensor(np.random.default_rng(5).normal(size=shape))


@pytest.mark.parametrize("how", [dict(), dict(edge="crop", margin=3), dict(edge="crop"), dict(truncate=2.0)])
def test_beam(backend, how):
    x, fwhm = images(), [0.0, 1.0, 1.7]
    smooth = cm.convolve_beam(x, fwhm, backend=backend, **how)
    np.testing.assert_array_equal(smooth.numpy(), cm.convolve_beam(x.numpy(), fwhm, backend=backend, **how))
    back = beam_adjoint(smooth, fwhm, backend=backend, **how)
    np.testing.assert_array_equal(back.numpy(), beam_adjoint(smooth.numpy(), fwhm, backend=backend, **how))


@pytest.mark.parametrize("how", [dict(), dict(edge="crop", margin=2)])
def test_gradients_of_the_beam(how):
    x = images((1, 2, 7, 6)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: cm.convolve_beam(x, [1.1, 0.0], **how), (x,))
    assert torch.autograd.gradgradcheck(lambda x: cm.convolve_beam(x, [1.1, 0.0], **how) ** 2, (x,))


def test_gradients_pass_through_noise():
    x = images().requires_grad_()
    noisy = cm.add_noise(x, [0.0, 1.0, 2.0], seed=2**64 - 1, items=[5, 6])
    want = cm.add_noise(x.detach().numpy(), [0.0, 1.0, 2.0], seed=2**64 - 1, items=[5, 6])
    np.testing.assert_array_equal(noisy.detach().numpy(), want)
    (noisy * 3).sum().backward()
    assert torch.equal(x.grad, torch.full_like(x, 3.0))


@pytest.mark.parametrize("how", [dict(fraction=0.5), dict(count=2), dict(fraction=[[0.1, 0.9], [1.0, 0.0]])])
def test_subsamples(backend, how):
    offsets = torch.tensor([0, 4, 11])
    draws = cm.draw_subsamples(offsets, n_draws=2, seed=2**63, items=torch.tensor([8, 9]), backend=backend, **how)
    want = cm.draw_subsamples([0, 4, 11], n_draws=2, seed=2**63, items=[8, 9], backend=backend, **how)
    np.testing.assert_array_equal(draws.indices.numpy(), want.indices)
    np.testing.assert_array_equal(draws.offsets.numpy(), want.offsets)


def test_the_operators_keep_the_rules_of_torch():
    x = images().requires_grad_()
    ops, beam = torch.ops.clustermass, ([1.0], 1.0, "crop", None, 4.0, 1, "auto")
    torch.library.opcheck(ops.beam.default, (x, *beam))
    torch.library.opcheck(ops.beam_adjoint.default, (x, *beam))
    torch.library.opcheck(ops.noise.default, (x, [0.5], 7, torch.tensor([1, 2]), 1, "auto"))
    offsets = torch.tensor([0, 4, 11])
    torch.library.opcheck(ops.subsample.default, (offsets, torch.tensor(0.5), None, 2, 1, None, 1, "auto"))


def test_compiled_without_a_break():
    x, offsets = images(), torch.tensor([0, 4, 11])

    def run(x):
        return cm.add_noise(cm.convolve_beam(x * 2, 1.5), 0.1, seed=3).sum()

    def draw(x, offsets):
        return x[cm.draw_subsamples(offsets, fraction=0.5, seed=3).indices].sum()

    def compiled(function):
        return torch.compile(function, fullgraph=True, backend="aot_eager")

    torch.testing.assert_close(compiled(run)(x), run(x))
    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=True):
        torch.testing.assert_close(compiled(draw)(x.flatten(), offsets), draw(x.flatten(), offsets))


def test_errors_name_the_argument():
    with pytest.raises(DomainError, match="`out`"):
        cm.convolve_beam(images(), 1.0, out=images())
    with pytest.raises(DomainError, match="`out`"):
        cm.add_noise(images(), 1.0, seed=1, out=images())
    with pytest.raises(ArrayError, match="images"):
        cm.convolve_beam(images()[0, 0], 1.0)
    with pytest.raises(DomainError, match="`count` must not require|exactly one"):
        cm.draw_subsamples(torch.tensor([0, 3]), seed=1)
    with pytest.raises(DomainError, match="`fraction` must not require gradients"):
        cm.draw_subsamples(torch.tensor([0, 3]), fraction=torch.tensor(0.5, requires_grad=True), seed=1)


def test_arrays_do_not_load_torch():
    code = (
        "import sys, clustermass as cm; cm.project_particles([[1.0, 1.0]], [1.0], shape=(2, 2), pixel_size=1.0); "
        "print('torch' in sys.modules, any('_torch' in name for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"
