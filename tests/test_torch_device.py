"""Torch tensors from catalogue to gradient where they lie: on the processor always, on a GPU where there is one."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from clustermass import _backend
from clustermass.cosmology import Cosmology

torch = pytest.importorskip("torch", reason="torch is not installed")

HAS_CUDA = _backend.cuda_status().available and torch.cuda.is_available()
AXES = [(-3.0, 3.0, 9), (0.0, 2.0, 7)]


@pytest.fixture(params=["cpu", *["cuda"] * HAS_CUDA])
def device(request):
    return request.param


@pytest.fixture
def catalogue(device):
    """Ragged points and offsets as tensors."""
    rng, sizes = np.random.default_rng(2), (30, 0, 1, 55, 12)
    points = np.column_stack([rng.normal(0.4, 1.0, sum(sizes)), rng.uniform(0, 2, sum(sizes))])
    return torch.tensor(points, device=device), torch.tensor(np.cumsum([0, *sizes]), device=device)


@pytest.mark.parametrize("normalise", ["sum", "density", "none"])
def test_gradients_of_densities(catalogue, normalise):
    points, offsets = catalogue
    weights = torch.rand(len(points), dtype=torch.float64, device=points.device) + 0.5
    points, weights = points.requires_grad_(), weights.requires_grad_()
    how = dict(axes=AXES, bandwidth=0.5, normalise=normalise)
    assert torch.autograd.gradcheck(lambda p, w: cm.estimate_density(p, offsets, weights=w, **how), (points, weights),
                                    eps=1e-6, atol=1e-5, nondet_tol=1e-10)  # fmt: skip


@pytest.mark.parametrize("assignment", ["cic", "tsc"])
def test_gradients_of_projections(device, assignment):
    rng = np.random.default_rng(3)
    positions = torch.tensor(rng.uniform(0.5, 5.5, (20, 2)), device=device, requires_grad=True)
    weights = torch.tensor(rng.uniform(size=(20, 2)), device=device, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, w: cm.project_particles(x, w, shape=(6, 6), pixel_size=1.0, assignment=assignment),
        (positions, weights), eps=1e-7, atol=1e-5, nondet_tol=1e-10,
    )  # fmt: skip


def test_a_compiled_step_has_the_gradients_of_an_eager_one(catalogue):
    """Traced as a whole and run without a compiler: what a graph needs to know of the operators is there."""
    points, offsets = catalogue

    def loss(x):
        return (cm.estimate_density(x, offsets, axes=AXES) ** 2).sum()

    slopes = []
    for step in (loss, torch.compile(loss, backend="aot_eager", fullgraph=True)):
        x = points.clone().requires_grad_()
        step(x).backward()
        slopes.append(x.grad)
    torch.testing.assert_close(*slopes, rtol=1e-9, atol=1e-12)


def test_batches_are_those_of_the_processor(catalogue):
    points, offsets = catalogue
    how = dict(axes=AXES, batch_size=3, seed=4, fraction=(0.4, 1.0), velocity_error=0.2)
    here = cm.PhaseSpaceBatcher(points, offsets, **how)
    host = cm.PhaseSpaceBatcher(points.cpu(), offsets.cpu(), **how)
    here.batch(0)  # what is loaded at the first call may wait
    if points.is_cuda:
        torch.cuda.set_sync_debug_mode("error")  # torch itself raises where a step would wait
    try:
        batches = [here.batch(step) for step in range(4)]
    finally:
        if points.is_cuda:
            torch.cuda.set_sync_debug_mode("default")
    for step, batch in enumerate(batches):
        want = host.batch(step)
        assert batch.grids.device == points.device
        assert torch.equal(batch.items.cpu(), want.items)
        torch.testing.assert_close(batch.grids.cpu(), want.grids, rtol=1e-9, atol=1e-12)


def test_light_cones_from_tensors_and_from_arrays(device):
    rng = np.random.default_rng(5)
    galaxies = rng.uniform(0, 50, (3000, 3)), rng.normal(0, 300, (3000, 3))
    query = rng.uniform(0, 50, (5, 3)), rng.normal(0, 200, (5, 3)), rng.normal(size=(5, 3))
    how = dict(redshift=0.1, cosmology=Cosmology(h=0.7, omega_m=0.3), max_velocity=2000.0, aperture=4.0)
    want = cm.select_lightcone(cm.build_galaxy_index(*galaxies, box_size=50.0), *query, **how)
    index = cm.build_galaxy_index(*(torch.tensor(a, device=device) for a in galaxies), box_size=50.0)
    for arguments in (query, [torch.tensor(a) for a in query], [torch.tensor(a, device=device) for a in query]):
        seen = cm.select_lightcone(index, *arguments, **how)
        assert seen.indices.device.type == device
        for name in ("offsets", "indices", "x", "velocity", "distance", "is_member"):
            np.testing.assert_array_equal(getattr(seen, name).cpu().numpy(), getattr(want, name))
        np.testing.assert_allclose(seen.radius.cpu().numpy(), want.radius, rtol=1e-14)
