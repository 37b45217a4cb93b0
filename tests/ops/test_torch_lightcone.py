"""Tensors through build_galaxy_index and select_lightcone."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

import clustermass as cm
from clustermass.cosmology import Cosmology
from clustermass.errors import DomainError

torch = pytest.importorskip("torch", reason="torch is not installed")

HOW = dict(redshift=0.1, cosmology=Cosmology(h=0.7, omega_m=0.3), max_velocity=2000.0, aperture=4.0)


@pytest.fixture
def backend(host_backend):
    return host_backend  # tensors of the CPU


def box():
    rng = np.random.default_rng(4)
    galaxies = rng.uniform(0, 60, (3000, 3)), rng.normal(0, 300, (3000, 3)), rng.integers(-1, 5, 3000)
    queries = rng.uniform(0, 60, (5, 3)), rng.normal(0, 200, (5, 3)), rng.normal(size=(5, 3))
    return galaxies, queries, np.arange(5)


def test_tensors_give_the_numbers_of_arrays(backend):
    (positions, velocities, hosts), queries, targets = box()
    host = cm.build_galaxy_index(positions, velocities, hosts=hosts, box_size=60.0)
    want = cm.select_lightcone(host, *queries, targets=targets, backend=backend, **HOW)
    assert len(want.indices) > 50
    index = cm.build_galaxy_index(
        torch.tensor(positions), torch.tensor(velocities), hosts=torch.tensor(hosts), box_size=60.0
    )
    assert isinstance(index.records, torch.Tensor)
    for arguments in (queries, [torch.tensor(q) for q in queries]):
        got = cm.select_lightcone(index, *arguments, targets=targets, backend=backend, **HOW)
        for field in fields(want):
            value = getattr(got, field.name)
            assert isinstance(value, torch.Tensor)
            np.testing.assert_array_equal(value.numpy(), getattr(want, field.name))


def test_the_operator_keeps_the_rules_of_torch():
    (positions, velocities, _), queries, _ = box()
    index = cm.build_galaxy_index(torch.tensor(positions), torch.tensor(velocities), box_size=60.0)
    galaxies = [index.records, index.rows, index.hosts, index.coarse, index.cell_start]
    torch.library.opcheck(torch.ops.clustermass.lightcone.default, (
        galaxies, list(index.n_cells), list(index.origin), list(index.cell_size), 60.0, index.max_speed,
        *[torch.tensor(q) for q in queries], torch.tensor(0.1), None, 0.7, 0.3, 0.7, 2000.0, 4.0, None, True, 1,
        "auto"))  # fmt: skip


def test_errors_name_the_argument():
    (positions, velocities, _), queries, _ = box()
    host = cm.build_galaxy_index(positions, velocities, box_size=60.0)
    with pytest.raises(DomainError, match="`index` must be made of tensors"):
        cm.select_lightcone(host, torch.tensor(queries[0]), *queries[1:], **HOW)
    with pytest.raises(DomainError, match="`velocities` must not require gradients"):
        cm.build_galaxy_index(positions, torch.tensor(velocities, requires_grad=True), box_size=60.0)
