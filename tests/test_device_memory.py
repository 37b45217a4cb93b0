"""Ops on emulated device arrays where memory is scarce or refused; what they read back; ops without a CUDA form."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass
from clustermass import _backend, _device
from clustermass.cosmology import Cosmology
from clustermass.errors import ArrayError, BackendUnavailableError, DeviceError
from clustermass.ops._tensors import without_tensors

from .device import EmulatedArray, to_emulated

add_noise, convolve_beam, project_particles = (
    without_tensors(getattr(clustermass, name)) for name in ("add_noise", "convolve_beam", "project_particles")
)


@pytest.fixture
def on_device(monkeypatch, emulated):
    """Arrays that the emulated extension works on."""
    real = _backend._import
    monkeypatch.setattr(_backend, "_import", lambda name: emulated if name == "._cuda" else real(name))
    return to_emulated


@pytest.mark.parametrize("free", [1, 10_000, 2**40])
def test_scarce_memory_cuts_work_into_pieces(on_device, monkeypatch, free):
    """One image, grid, view or table at a time gives what all at once gives."""
    monkeypatch.setenv("CLUSTERMASS_EMULATED_FREE", str(free))
    rng = np.random.default_rng(4)
    images = rng.normal(size=(5, 3, 11, 9)).astype(np.float32)
    offsets, points = np.array([0, 7, 7, 30, 44]), rng.normal(size=(44, 2)).astype(np.float32)
    positions, weights = rng.uniform(0, 9, (300, 3)).astype(np.float32), np.ones((300, 2), np.float32)
    rotations = clustermass.view_rotations(rng.normal(size=(5, 3)))
    options, how = dict(pixel_size=0.5, shape=(6, 7), depth=4.0), dict(axes=[(-2, 2, 8), (-2, 2, 5)])
    index = clustermass.build_particle_index(positions, weights, box_size=9.0)
    moved = clustermass.build_particle_index(on_device(positions), on_device(weights), box_size=9.0)
    results = {
        "beam": (clustermass.convolve_beam(on_device(images), [1.0, 2.0, 0.0]),
                 clustermass.convolve_beam(images, [1.0, 2.0, 0.0])),
        "density": (clustermass.estimate_density(on_device(points), on_device(offsets), **how),
                    clustermass.estimate_density(points, offsets, **how)),
        "views": (clustermass.project_views(moved, np.full((5, 3), 4.0), rotations, **options),
                  clustermass.project_views(index, np.full((5, 3), 4.0), rotations, **options)),
        "draws": (clustermass.draw_subsamples(on_device(offsets), fraction=0.4, n_draws=3, seed=1).indices,
                  clustermass.draw_subsamples(offsets, fraction=0.4, n_draws=3, seed=1).indices),
    }  # fmt: skip
    for name, (found, expected) in results.items():
        assert isinstance(found, EmulatedArray), name
        np.testing.assert_allclose(found.values, expected, rtol=1e-5, atol=1e-5, err_msg=name)


def test_parameters_may_lie_on_the_device_too(on_device):
    """As torch's operators hand them over."""
    offsets = np.array([0, 10, 40])
    draws = clustermass.draw_subsamples(on_device(offsets), fraction=on_device(np.array([0.5, 0.2])), seed=1)
    want = clustermass.draw_subsamples(offsets, fraction=[0.5, 0.2], seed=1)
    np.testing.assert_array_equal(draws.indices.values, want.indices)
    rng = np.random.default_rng(5)
    positions, weights, centres = rng.uniform(0, 9, (100, 3)), rng.uniform(size=100), rng.uniform(3, 6, (2, 3))
    rotations, sizes = clustermass.view_rotations(rng.normal(size=(2, 3))), np.array([0.3, 0.5])
    index = clustermass.build_particle_index(on_device(positions), on_device(weights))
    found = [
        clustermass.project_views(index, put(centres), put(rotations), pixel_size=put(sizes), shape=(8, 8), depth=5.0)
        for put in (np.array, on_device)
    ]
    assert found[0].values.any()
    np.testing.assert_allclose(found[1].values, found[0].values, rtol=1e-12, atol=1e-15)
    host = clustermass.build_particle_index(positions, weights)
    with pytest.raises(ArrayError, match="must be on the host, where the index is"):
        clustermass.project_views(host, on_device(centres), rotations, pixel_size=sizes)


class Allocator:
    """Gives no array beyond `most` bytes, whatever the driver says is free."""

    def __init__(self, monkeypatch, most):
        self.real, self.most, self.refused = EmulatedArray.empty, most, 0
        monkeypatch.setattr(EmulatedArray, "empty", staticmethod(self.give))

    def give(self, shape, dtype):
        if np.prod(shape) * np.dtype(dtype).itemsize > self.most:
            self.refused += 1
            raise MemoryError("cudaErrorMemoryAllocation: out of memory")
        return self.real(shape, dtype)


def test_scratch_that_is_refused_is_asked_for_in_smaller_pieces(on_device, monkeypatch):
    rng = np.random.default_rng(4)
    points, offsets, axes = rng.normal(size=(64, 2)).astype(np.float32), np.arange(0, 65, 8), [(-2, 2, 16)] * 2
    images = rng.normal(size=(8, 1, 16, 16)).astype(np.float32)
    want = clustermass.estimate_density(points, offsets, axes=axes), clustermass.convolve_beam(images, 2.0)
    result = want[0].nbytes  # of 8 grids; their sums in float64 take twice as much
    allocator = Allocator(monkeypatch, result)
    grids = clustermass.estimate_density(on_device(points), on_device(offsets), axes=axes)
    assert allocator.refused == 1
    smooth = clustermass.convolve_beam(on_device(images), 2.0)
    np.testing.assert_allclose(grids.values, want[0], atol=2e-6 * want[0].max())
    np.testing.assert_allclose(smooth.values, want[1], atol=2e-6 * want[1].max())
    allocator.most = result - 1
    with pytest.raises(DeviceError, match=r"CUDA device 0 has no room for .* GiB \(shape \(8, 16, 16\), float32\)"):
        clustermass.estimate_density(on_device(points), on_device(offsets), axes=axes)


OPS_WITHOUT_ROOM = {
    "project": lambda put, x: clustermass.project_particles(put(x), put(x[:, 0]), shape=(8, 8), pixel_size=0.1),
    "index": lambda put, x: clustermass.build_particle_index(put(x), put(x[:, 0]), box_size=1.0),
    "galaxies": lambda put, x: clustermass.build_galaxy_index(put(x), put(x), box_size=1.0),
    "density": lambda put, x: clustermass.estimate_density(put(x[:, :1]), put(np.array([0, 99])), axes=[(0, 1, 40)]),
    "gradient": lambda put, x: clustermass.differentiate_density(
        put(np.ones((1, 40))), put(x[:, :1]), put(np.array([0, 99])), axes=[(0, 1, 40)]
    ),
    "draws": lambda put, x: clustermass.draw_subsamples(put(np.array([0, 99])), fraction=0.9, seed=1),
    "noise": lambda put, x: clustermass.add_noise(put(x.reshape(1, 1, -1, 3)), 1.0, seed=1),
    "beam": lambda put, x: clustermass.convolve_beam(put(x.reshape(1, 1, -1, 3)), 2.0),
}


@pytest.mark.parametrize("name", OPS_WITHOUT_ROOM)
def test_no_op_goes_on_without_room(on_device, monkeypatch, name):
    """Whichever allocation is refused first, the answer is a DeviceError; with room, the op works."""
    x = np.random.default_rng(5).uniform(size=(99, 3))
    OPS_WITHOUT_ROOM[name](on_device, x)
    allocator = Allocator(monkeypatch, 32)
    with pytest.raises(DeviceError, match="no room"):
        OPS_WITHOUT_ROOM[name](on_device, x)
    assert allocator.refused


def test_a_light_cone_without_room_for_its_galaxies(on_device, monkeypatch):
    rng = np.random.default_rng(6)
    index = clustermass.build_galaxy_index(on_device(rng.uniform(0, 50, (5000, 3))),
                                           on_device(rng.normal(0, 300, (5000, 3))), box_size=50.0)  # fmt: skip
    options = dict(redshift=0.1, cosmology=Cosmology(h=0.7, omega_m=0.3), max_velocity=2000.0, aperture=20.0)
    query = [[25.0, 25, 25]], [[0.0, 0, 0]], [[0, 0, 1]]
    assert len(clustermass.select_lightcone(index, *query, **options).indices) > 1000
    Allocator(monkeypatch, 8000)  # enough for what counting needs
    with pytest.raises(DeviceError, match=r"no room .*int64"):
        clustermass.select_lightcone(index, *query, **options)


def test_sizes_from_the_host_are_not_read_back(on_device, monkeypatch):
    """Draws keyed on the device, of items whose sizes the host knows: nothing waits."""
    offsets, items = np.array([0, 40, 40, 100]), np.array([7, 8, 9])
    want = clustermass.draw_subsamples(offsets, fraction=0.4, n_draws=2, seed=1, items=items)

    def download(array):
        assert not isinstance(array, _device.DeviceArray), "the device was waited for"
        return array

    monkeypatch.setattr(_device, "download", download)
    draws = clustermass.draw_subsamples(offsets, fraction=0.4, n_draws=2, seed=1, items=on_device(items))
    np.testing.assert_array_equal(draws.indices.values, want.indices)
    np.testing.assert_array_equal(draws.offsets.values, want.offsets)
    with pytest.raises(AssertionError, match="waited"):
        clustermass.draw_subsamples(on_device(offsets), fraction=0.4, n_draws=2, seed=1)


def test_ops_without_a_cuda_form_say_so(on_device):
    with pytest.raises(BackendUnavailableError, match="no form of this op"):
        _backend.resolve("auto", "no_op", on_device=True)
    with pytest.raises(ArrayError, match="`log10_mass` must be on the host"):
        clustermass.select_flat_mass_function(on_device(np.zeros(3)), seed=1)
