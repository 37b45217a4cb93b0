"""Tensors through the public ops: the same numbers, gradients, and whole graphs. Projection, its gradient and views."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import ArrayError, DomainError, DTypeError

torch = pytest.importorskip("torch", reason="torch is not installed")

ASSIGNMENTS = ["ngp", "cic", "tsc", "sph"]
FRAME = dict(shape=(9, 8), pixel_size=0.5, origin=(1.0, -2.0))


def cloud(n=12, channels=2, seed=1):
    """Particles inside the field, clear of the kinks of CIC (the centre lines of pixels); float64 tensors."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(1, 7, (n, 2)) + rng.choice([0.1, 0.3, 0.7, 0.9], (n, 2))
    positions = torch.tensor(pixels * 0.5 + [1.0, -2.0])
    return positions, torch.tensor(rng.normal(size=(n, channels))), torch.tensor(0.5 * rng.uniform(0.2, 3.0, n))


def options(assignment, support, **more):
    return FRAME | dict(assignment=assignment, smoothing_length=support if assignment == "sph" else None) | more


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
@pytest.mark.parametrize("beam_fwhm", [0.0, [0.0, 1.3]])
def test_tensors_give_the_numbers_of_arrays(backend, assignment, beam_fwhm):
    positions, weights, support = cloud()
    how = options(assignment, support, beam_fwhm=beam_fwhm, backend=backend)
    image = cm.project_particles(positions, weights, **how)
    assert isinstance(image, torch.Tensor)
    plain = how | dict(smoothing_length=None if assignment != "sph" else support.numpy())
    np.testing.assert_array_equal(image.numpy(), cm.project_particles(positions.numpy(), weights.numpy(), **plain))


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
@pytest.mark.parametrize("beam_fwhm", [0.0, [0.0, 1.3]])
def test_gradients_are_those_of_finite_differences(assignment, beam_fwhm):
    positions, weights, support = cloud()
    how = options(assignment, support, beam_fwhm=beam_fwhm)
    positions.requires_grad_(assignment != "ngp")
    weights.requires_grad_()
    assert torch.autograd.gradcheck(lambda p, w: cm.project_particles(p, w, **how), (positions, weights), atol=1e-6)


def test_only_what_is_asked_for_gets_a_gradient():
    positions, weights, _ = cloud()
    weights.requires_grad_()
    image = cm.project_particles(positions, weights, **FRAME)
    assert image.grad_fn is not None
    (image**2).sum().backward()
    assert positions.grad is None
    by = cm.differentiate_projection(2 * image.detach(), positions, weights.detach(), pixel_size=0.5, origin=(1, -2))
    assert torch.equal(weights.grad, by.weights)


def test_gradients_have_the_types_of_what_they_belong_to():
    positions, weights, _ = cloud()
    positions = positions.float().requires_grad_()
    weights.requires_grad_()
    image = cm.project_particles(positions, weights, **FRAME)
    assert image.dtype == torch.float64
    image.sum().backward()
    assert (positions.grad.dtype, weights.grad.dtype) == (torch.float32, torch.float64)


@pytest.mark.parametrize("assignment", ["cic", "sph"])
def test_the_operators_keep_the_rules_of_torch(assignment):
    """Schema, fake tensors, autograd registration, dynamic shapes."""
    positions, weights, support = cloud(5)
    how = [0.5, [1.0, -2.0], assignment, "wendland_c2", [0.6], 1, "auto"]
    args = (positions.requires_grad_(), weights.requires_grad_(), support, [9, 8], *how)
    torch.library.opcheck(torch.ops.clustermass.project.default, args)
    gradient = torch.ones(2, 9, 8, dtype=torch.float64)
    args = (gradient, positions.detach(), weights.detach(), support, *how)
    torch.library.opcheck(torch.ops.clustermass.project_gradient.default, args)


@pytest.mark.parametrize("assignment", ["cic", "sph"])
def test_compiled_without_a_break(assignment):
    positions, weights, support = cloud()

    def loss(p, w):
        image = cm.project_particles(2 * p - p, w.exp(), **options(assignment, support, beam_fwhm=0.7))
        return (image**2).sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    found = []
    for function in (loss, compiled):
        p, w = positions.clone().requires_grad_(), weights.clone().requires_grad_()
        function(p, w).backward()
        found.append((p.grad, w.grad))
    torch.testing.assert_close(found[0], found[1])


def test_views_of_tensors():
    rng = np.random.default_rng(3)
    positions, weights = torch.tensor(rng.uniform(0, 10, (500, 3))), torch.tensor(rng.uniform(size=(500, 2)))
    rotations, centres = cm.view_rotations(rng.normal(size=(2, 3))), [[5.0, 5.0, 5.0]] * 2
    frame = dict(pixel_size=0.5, shape=(8, 7), depth=3.0)
    index = cm.build_particle_index(positions, weights, box_size=10.0)
    assert all(isinstance(a, torch.Tensor) for a in (index.x, index.weights, index.cell_start))
    images = cm.project_views(index, centres, torch.tensor(rotations), **frame)
    host = cm.build_particle_index(positions.numpy(), weights.numpy(), box_size=10.0)
    np.testing.assert_array_equal(images.numpy(), cm.project_views(host, centres, rotations, **frame))
    particles = [index.x, index.y, index.z, index.weights, index.smoothing_length, index.cell_start]
    torch.library.opcheck(torch.ops.clustermass.views.default, (
        particles, list(index.n_cells), list(index.origin), list(index.cell_size), 10.0, 0.0,
        torch.tensor(centres), torch.tensor(rotations), torch.tensor([0.5]), [8, 7], 3.0, "cic", "cubic_spline", 1,
        "auto"))  # fmt: skip
    with pytest.raises(DomainError, match="`index` must be made of tensors"):
        cm.project_views(host, torch.tensor(centres), rotations, **frame)
    with pytest.raises(DomainError, match="`weights` must not require gradients"):
        cm.build_particle_index(positions, weights.requires_grad_())


def test_errors_name_the_argument():
    positions, weights, support = cloud()
    with pytest.raises(DTypeError, match=r"`weights`.*bfloat16"):
        cm.project_particles(positions, weights.bfloat16(), **FRAME)
    with pytest.raises(ArrayError, match=r"`weights` must be on meta"):
        cm.project_particles(positions.to("meta"), weights, **FRAME)
    with pytest.raises(DomainError, match="`smoothing_length` must not require gradients"):
        cm.project_particles(positions, weights, **options("sph", support.requires_grad_()))
    with pytest.raises(DomainError, match="shape"):
        cm.project_particles(positions, weights, **FRAME | dict(shape=(0, 4)))
    with pytest.raises(ArrayError, match="positions"):
        cm.project_particles(positions[:, 0], weights, **FRAME)


def test_arrays_beside_tensors_and_units():
    u = pytest.importorskip("astropy.units")

    positions, weights, _ = cloud()
    want = cm.project_particles(positions, weights, **FRAME)
    assert torch.equal(cm.project_particles(positions.numpy(), weights, **FRAME), want)
    assert torch.equal(cm.project_particles(positions, weights.tolist(), **FRAME), want)
    in_kpc = FRAME | dict(pixel_size=500 * u.kpc)
    torch.testing.assert_close(cm.project_particles(positions, weights, **in_kpc), want)


def test_second_derivatives_are_refused_not_wrong():
    positions, weights, _ = cloud()
    weights.requires_grad_()
    image = cm.project_particles(positions.requires_grad_(), weights, **FRAME)
    [first] = torch.autograd.grad((image**2).sum(), positions, create_graph=True)
    with pytest.raises(RuntimeError, match="project_gradient"):
        first.sum().backward()
