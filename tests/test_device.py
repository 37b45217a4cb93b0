"""Arrays on a device are recognised and handed on as they are: addresses, shapes, streams; with stand-ins for a GPU."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import clustermass
from clustermass import _backend, _device, _validate
from clustermass.errors import ArrayError, BackendUnavailableError, BadInputError, DeviceError, DomainError, DTypeError
from clustermass.ops._tensors import without_tensors

from .device import EmulatedArray

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
