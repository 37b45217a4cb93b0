"""Arrays on a device are recognised and handed on as they are: addresses, shapes, streams; with stand-ins for a GPU."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import clustermass
from clustermass import _backend, _device, _validate
from clustermass.cosmology import Cosmology
from clustermass.errors import ArrayError, BackendUnavailableError, BadInputError, DeviceError, DomainError, DTypeError
from clustermass.ops._tensors import without_tensors

from .device import EmulatedArray, emulated_extension, to_emulated

# Behind the torch operators, which would want a real torch: what they hand CUDA tensors to.
add_noise, convolve_beam, project_particles = (
    without_tensors(getattr(clustermass, name)) for name in ("add_noise", "convolve_beam", "project_particles")
)


class Recorder:
    """A CUDA extension that notes what it is asked to do and does nothing."""

    def __init__(self):
        self.calls, self.devices = [], {}

    def device_of(self, address):
        return self.devices.get(address, 0)

    def project_scratch(self, n, channels, rows, cols, *, device):
        return 2 * channels * rows * cols

    def items_at_once(self, n, bytes_each, device):
        return n

    def __getattr__(self, name):
        return lambda *args, **kwargs: self.calls.append((name, args, kwargs))

    def only(self, name):
        (found,) = [(args, kwargs) for called, args, kwargs in self.calls if called == name]
        return found


@pytest.fixture
def extension(monkeypatch):
    recorder, real = Recorder(), _backend._import
    monkeypatch.setattr(_backend, "_import", lambda name: recorder if name == "._cuda" else real(name))
    monkeypatch.delenv("CLUSTERMASS_CUDA_CHECK", raising=False)
    return recorder


class FakeTensor:
    """What _device uses of a torch tensor; memory of the host."""

    layout = "strided"

    def __init__(self, values, device="cuda", index=0):
        self.values, self.device = values, SimpleNamespace(type=device, index=index)
        self.shape, self.dtype = values.shape, f"torch.{values.dtype.name}"

    ndim = property(lambda self: self.values.ndim)

    def data_ptr(self):
        return self.values.ctypes.data

    def is_neg(self):
        return False

    def resolve_neg(self):
        return self

    def is_contiguous(self):
        return self.values.flags.c_contiguous

    def contiguous(self):
        return FakeTensor(np.ascontiguousarray(self.values), self.device.type, self.device.index)

    def reshape(self, shape):
        return FakeTensor(self.values.reshape(shape), self.device.type, self.device.index)

    def to(self, dtype):
        return FakeTensor(self.values.astype(dtype), self.device.type, self.device.index)


@pytest.fixture
def torch(monkeypatch):
    """A module that looks like torch, with stream 70 + i current on device i."""
    fake = ModuleType("torch")
    fake.Tensor, fake.strided = FakeTensor, "strided"
    fake.float32, fake.float64, fake.int64, fake.int32 = np.float32, np.float64, np.int64, np.int32
    fake.empty = lambda shape, dtype, device: FakeTensor(np.empty(shape, dtype), device.type, device.index)
    fake.from_dlpack = lambda array: FakeTensor(np.zeros(3))
    fake.cuda = SimpleNamespace(current_stream=lambda device: SimpleNamespace(cuda_stream=70 + device.index))
    monkeypatch.setitem(sys.modules, "torch", fake)
    return fake


def test_a_cuda_tensor_is_seen_as_it_is(torch, extension):
    tensor = FakeTensor(np.zeros((3, 2), np.float32), index=1)
    array = _device.wrap(tensor, "positions")
    assert (array.address, array.shape, array.dtype) == (tensor.data_ptr(), (3, 2), np.float32)
    assert (array.device, array.stream, array.owner) == (1, 71, tensor)
    assert (array.ndim, array.size, array.itemsize, array.nbytes, len(array)) == (2, 6, 4, 24, 3)


def test_the_op_gets_addresses_shapes_and_the_stream(torch, extension):
    positions, weights = FakeTensor(np.zeros((5, 3), np.float32), index=1), FakeTensor(np.ones(5, np.float32), index=1)
    image = project_particles(positions, weights, shape=(4, 6), pixel_size=0.5)
    args, kwargs = extension.only("project_f32")
    assert args[:5] == (positions.data_ptr(), 5, 3, weights.data_ptr(), 1)
    assert args[6:9] == (image.data_ptr(), 4, 6)
    assert args[10] == 2 * 4 * 6
    assert (kwargs["device"], kwargs["stream"], kwargs["per_pixel"]) == (1, 71, 2.0)
    assert isinstance(image, FakeTensor)
    assert (image.shape, image.dtype) == ((4, 6), "torch.float32")


def test_strides_of_a_tensor_are_made_plain(torch, extension):
    wide = np.arange(12.0).reshape(3, 4)
    array = _device.wrap(FakeTensor(wide[:, ::2]), "x")
    np.testing.assert_array_equal(array.owner.values, wide[:, ::2])
    assert array.owner.is_contiguous()
    assert array.address != wide.ctypes.data


def test_the_dtype_of_all_is_float64_if_one_is(torch, extension):
    project_particles(FakeTensor(np.zeros((2, 2), np.float32)), FakeTensor(np.ones(2)), shape=(2, 2), pixel_size=1.0)
    assert extension.only("project_f64")


@pytest.mark.parametrize("dtype", ["torch.bfloat16", "torch.float16", "torch.complex64", "torch.bool"])
def test_types_that_are_not_supported(torch, extension, dtype):
    tensor = FakeTensor(np.zeros((2, 2)))
    tensor.dtype = dtype
    with pytest.raises(DTypeError, match="`positions`"):
        project_particles(tensor, FakeTensor(np.ones(2)), shape=(2, 2), pixel_size=1.0)


def test_other_devices_and_layouts_are_refused(torch, extension):
    with pytest.raises(ArrayError, match="`x` must be on the CPU or on a CUDA device"):
        _device.wrap(FakeTensor(np.zeros(2), device="mps"), "x")
    sparse = FakeTensor(np.zeros(2))
    sparse.layout = "sparse_coo"
    with pytest.raises(ArrayError, match="`x` must be dense"):
        _device.wrap(sparse, "x")


def test_a_tensor_of_the_cpu_is_left_alone(torch):
    tensor = FakeTensor(np.zeros(2), device="cpu")
    assert _device.wrap(tensor, "x") is tensor
    assert not _device.is_on_device(tensor)


def test_mixed_places_name_the_argument(torch, extension):
    positions, weights = FakeTensor(np.zeros((2, 2))), FakeTensor(np.ones(2))
    options = dict(shape=(2, 2), pixel_size=1.0)
    with pytest.raises(ArrayError, match=r"`weights` must be on CUDA device 0 like `positions`.*the host \(ndarray\)"):
        project_particles(positions, np.ones(2), **options)
    with pytest.raises(ArrayError, match=r"`positions` must be on CUDA device 0 like `weights`.*the host \(list\)"):
        project_particles([[1.0, 2.0]], weights, **options)
    with pytest.raises(ArrayError, match="`weights` must be on CUDA device 0 .* CUDA device 1"):
        project_particles(positions, FakeTensor(np.ones(2), index=1), **options)
    with pytest.raises(ArrayError, match="`sigma` must be on the host"):
        add_noise(FakeTensor(np.zeros((1, 2, 2))), FakeTensor(np.ones(1)), seed=1)
    assert not extension.calls


def test_a_backend_that_does_not_suit_the_data_is_an_error(torch, extension):
    positions, weights = FakeTensor(np.zeros((2, 2))), FakeTensor(np.ones(2))
    for backend in ("native", "numba"):
        with pytest.raises(DomainError, match=f"`backend` must be 'auto' or 'cuda'.*'{backend}'"):
            project_particles(positions, weights, shape=(2, 2), pixel_size=1.0, backend=backend)
    with pytest.raises(DomainError, match="'cuda' works on arrays of a CUDA device"):
        project_particles(positions.values, weights.values, shape=(2, 2), pixel_size=1.0, backend="cuda")
    project_particles(positions, weights, shape=(2, 2), pixel_size=1.0, backend="cuda")
    assert extension.only("project_f64")


def test_without_the_extension_it_says_so(torch, monkeypatch):
    monkeypatch.setattr(_backend, "_import", lambda name: ImportError("No module named 'clustermass._cuda'"))
    with pytest.raises(BackendUnavailableError, match=r"not built.*_cuda.*nvcc"):
        project_particles(FakeTensor(np.zeros((2, 2))), FakeTensor(np.ones(2)), shape=(2, 2), pixel_size=1.0)


# --- __cuda_array_interface__ ---


@pytest.mark.parametrize(("stream", "expected"), [(None, 0), (1, 0), (2, 2), (0x7F00, 0x7F00)])
def test_the_stream_of_the_interface(extension, stream, expected):
    array = _device.wrap(EmulatedArray(np.zeros(3), stream), "x")
    assert array.stream == expected


def test_other_streams_are_waited_for_on_the_device(extension):
    arrays = dict(a=EmulatedArray(np.zeros(1), 50), b=EmulatedArray(np.zeros(1), 50), c=EmulatedArray(np.zeros(1), 60))
    assert _device.together(**arrays, d=None).beside.stream == 50
    assert extension.calls == [("wait", (50, 60, 0), {})]


def test_the_device_is_that_of_the_address(extension):
    array = EmulatedArray(np.zeros(3))
    extension.devices[array.values.ctypes.data] = 3
    assert _device.wrap(array, "x").device == 3
    empty = _device.wrap(EmulatedArray(np.zeros((0, 3))), "x")
    assert (empty.address, empty.device, empty.shape) == (0, 0, (0, 3))


def test_arrays_that_do_not_fit_the_interface(extension):
    with pytest.raises(ArrayError, match="`x` must be in C order"):
        _device.wrap(EmulatedArray(np.zeros((4, 4))[:, ::2]), "x")
    with pytest.raises(DTypeError, match="byte order"):
        _device.wrap(EmulatedArray(np.zeros(3, ">f8" if sys.byteorder == "little" else "<f8")), "x")
    masked = SimpleNamespace(__cuda_array_interface__={"mask": object()})
    with pytest.raises(BadInputError, match="mask"):
        _device.wrap(masked, "x")


def test_strides_that_mean_c_order(extension):
    values = np.zeros((4, 1, 3))
    array = EmulatedArray(values)
    told = dict(array.__cuda_array_interface__, strides=(24, 999, 8))  # the stride of an axis of length 1 is arbitrary
    assert _device.wrap(SimpleNamespace(__cuda_array_interface__=told), "x").address == values.ctypes.data


def test_an_array_without_a_library_is_refused(extension):
    told = EmulatedArray(np.zeros((1, 2, 2))).__cuda_array_interface__
    with pytest.raises(ArrayError, match="does not say how to make another one"):
        add_noise(SimpleNamespace(__cuda_array_interface__=told, ndim=3, shape=(1, 2, 2)), 1.0, seed=1)


def test_results_go_where_the_caller_says(extension):
    images, out = EmulatedArray(np.zeros((1, 2, 2))), EmulatedArray(np.ones((1, 2, 2)))
    assert add_noise(images, 1.0, seed=1, out=out) is out
    args, _ = extension.only("noise_f64")
    assert args[:2] == (images.values.ctypes.data, out.values.ctypes.data)
    frozen = EmulatedArray(np.ones((1, 2, 2)))
    frozen.values.flags.writeable = False
    for bad, error in ((frozen, ArrayError), (EmulatedArray(np.ones((1, 2, 3))), ArrayError), (np.ones(3), ArrayError),
                       (EmulatedArray(np.ones((1, 2, 2), np.float32)), DTypeError)):  # fmt: skip
        with pytest.raises(error, match="`out`"):
            add_noise(images, 1.0, seed=1, out=bad)


# --- DLPack ---


class Exporter:
    def __init__(self, kind):
        self.kind = kind

    def __dlpack_device__(self):
        return self.kind, 0

    def __dlpack__(self, **kwargs):
        return np.arange(3.0).__dlpack__(**kwargs)


def test_dlpack_goes_through_a_library_that_is_loaded(torch, extension):
    assert isinstance(_device.wrap(Exporter(2), "x").owner, FakeTensor)
    np.testing.assert_array_equal(_device.wrap(Exporter(1), "x"), [0, 1, 2])
    with pytest.raises(ArrayError, match="`x` is a .*Exporter on a device"):
        _device.wrap(Exporter(4), "x")


def test_dlpack_without_a_library(extension, monkeypatch):
    for name in ("torch", "cupy"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ArrayError, match="import torch or cupy"):
        _device.wrap(Exporter(2), "x")


# --- memory ---


def test_no_room_is_a_device_error(torch, extension):
    class OutOfMemoryError(RuntimeError):
        pass

    def refuse(*args, **kwargs):
        raise OutOfMemoryError("tried to allocate 9.3 GiB")

    torch.empty = refuse
    with pytest.raises(DeviceError, match=r"CUDA device 0 has no room for .* GiB.*tried to allocate"):
        add_noise(FakeTensor(np.zeros((1, 2, 2))), 1.0, seed=1)


def test_values_are_looked_at_on_request_only(torch, extension, monkeypatch):
    images = FakeTensor(np.full((1, 4, 4), np.nan))
    convolve_beam(images, 1.0)
    extension.download = lambda host, address, device, stream: host.fill(np.nan)
    monkeypatch.setenv("CLUSTERMASS_CUDA_CHECK", "1")
    with pytest.raises(BadInputError, match="`images` must be finite, got 16 of 16"):
        convolve_beam(images, 1.0)


def test_host_arrays_never_meet_the_extension(monkeypatch):
    monkeypatch.setattr(_backend, "cuda", lambda: pytest.fail("asked for CUDA"))
    assert _device.together(a=np.zeros(3), b=[1.0], c=None).beside is None
    assert isinstance(_device.empty((2,), np.float32, None), np.ndarray)
    assert _validate.float_array([1, 2], "x", (None,)).dtype == np.float64


# --- the emulated extension ---


@pytest.fixture
def on_device(monkeypatch):
    """Arrays that the emulated extension works on."""
    module, real = emulated_extension(), _backend._import
    if isinstance(module, ImportError):
        pytest.skip(str(module))
    monkeypatch.setattr(_backend, "_import", lambda name: module if name == "._cuda" else real(name))
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
