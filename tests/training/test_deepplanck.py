"""The released DeepPlanck networks: Keras files without Keras, the known answer, and files that lie."""

import h5py
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

import clustermass as cm  # noqa: E402
from clustermass.data.keras_file import read_keras_layers  # noqa: E402
from clustermass.errors import ArrayError, BadInputError, DomainError, FileFormatError  # noqa: E402
from clustermass.models.store import load_estimator, save_estimator  # noqa: E402
from clustermass.training.deepplanck import BINS  # noqa: E402
from tests.tolerances import DEEPPLANCK  # noqa: E402

CONV, DENSE = ((1, 16), (16, 32), (32, 64)), ((64, 200), (200, 100), (100, 20), (20, 1))


def keras(path, prefix="", swap=None, drop=None, dtype=np.float32):
    """A file as Keras 2 writes it; numbers of layers cross a power of ten, where the order of names is another."""
    rng = np.random.default_rng(7)
    arrays = {}
    with h5py.File(path, "w") as file:
        for kind, sizes, first in (("conv2d", CONV, 98), ("dense", DENSE, 8)):
            for k, (n_in, n_out) in enumerate(sizes):
                layer, shape = f"{kind}_{first + k}", (*((3, 3) if kind == "conv2d" else ()), n_in, n_out)
                kernel = rng.normal(0, 0.3, swap.get(layer, shape) if swap else shape).astype(dtype)
                group = file.create_group(f"{prefix}{layer}/model__x_1/{layer}")
                group["kernel:0"], bias = kernel, rng.normal(0, 0.1, n_out).astype(dtype)
                if layer != drop:
                    group["bias:0"] = bias
                arrays[layer] = (kernel, bias)
        file.create_group(f"{prefix}dropout_3")
    return arrays


def by_hand(arrays, image):
    """The network in float64 NumPy."""
    values = image[None]
    for layer in ("conv2d_98", "conv2d_99", "conv2d_100"):
        kernel, bias = (a.astype(float) for a in arrays[layer])
        windows = np.lib.stride_tricks.sliding_window_view(values, (3, 3), axis=(1, 2))
        values = np.maximum(np.einsum("cijab,abco->oij", windows, kernel) + bias[:, None, None], 0)
        side = values.shape[1] // 2
        values = values[:, : 2 * side, : 2 * side].reshape(len(values), side, 2, side, 2).max(axis=(2, 4))
    flat = values.mean(axis=(1, 2))
    for layer in ("dense_8", "dense_9", "dense_10"):
        kernel, bias = arrays[layer]
        flat = np.maximum(flat @ kernel + bias, 0)
    return (flat @ arrays["dense_11"][0] + arrays["dense_11"][1])[0]


def test_known_answer_on_the_real_map(real_data, tmp_path):
    weights = real_data("deepplanck/bestmodel-2.h5")
    path = real_data("deepplanck/PSZ2G359.07-32.12.fits")
    model = cm.DeepPlanck.from_released_weights(weights, redshift_bin=2)
    assert model.predict_fits(path) == pytest.approx(14.68293237, abs=DEEPPLANCK)
    sample = cm.read_fits_map(path, pixel_angle=5e-4)
    assert sample.redshift.tolist() == pytest.approx([0.1496], rel=1e-7)  # the header has a float32
    assert not sample.is_ideal
    found = model.predict(sample)
    assert (found.mass_definition, found.flagged().tolist()) == ("M500c", [False])
    save_estimator(tmp_path / "model.safetensors", model)
    again = load_estimator(tmp_path / "model.safetensors").predict(sample)
    np.testing.assert_array_equal(again.log10_mass, found.log10_mass)


@pytest.mark.parametrize("prefix", ["", "model_weights/"])
@pytest.mark.parametrize("number", BINS)
def test_weights_of_keras_give_what_the_network_by_hand_gives(tmp_path, number, prefix):
    arrays = keras(tmp_path / "weights.h5", prefix)
    model = cm.DeepPlanck.from_released_weights(tmp_path / "weights.h5", redshift_bin=number)
    _, _, mean, spread = BINS[number]
    images = mean + spread * np.random.default_rng(1).normal(size=(3, 96, 96))
    got = model.predict_images(images)
    want = [by_hand(arrays, (image - mean) / spread) - np.log10(0.678) for image in images]
    np.testing.assert_allclose(got, want, rtol=DEEPPLANCK)
    assert model.predict_images(images[1]).shape == ()
    assert float(model.predict_images(images[1])) == pytest.approx(got[1], rel=DEEPPLANCK)


def test_redshifts_outside_the_bin_are_flagged(tmp_path):
    keras(tmp_path / "weights.h5")
    model = cm.DeepPlanck.from_released_weights(tmp_path / "weights.h5", redshift_bin=2)
    maps = cm.MapSample(
        np.zeros((3, 2, 96, 96)), ("stars", "compton_y"), 5e-4, [0.1, 0.15, 0.21], cm_cosmology(), np.arange(3),
        np.zeros(3, int),
    )  # fmt: skip
    assert model.predict(maps).flagged("out_of_support").tolist() == [True, False, True]
    assert len(model.predict(maps.only([]))) == 0


def cm_cosmology():
    from tests.universes import COSMOLOGY

    return COSMOLOGY


def test_other_networks_and_bad_files_are_refused(tmp_path):
    path = tmp_path / "weights.h5"

    def refused(match, bin_=2):
        with pytest.raises(FileFormatError, match=match):
            cm.DeepPlanck.from_released_weights(path, redshift_bin=bin_)

    keras(path, swap={"dense_9": (100, 200)})
    refused(r"dense\.2\.0\.weight must have shape \(100, 200\)")
    keras(path, drop="conv2d_99")
    refused("a kernel and a bias")
    keras(path, dtype=np.complex64)
    refused("floats")
    with h5py.File(path, "w") as file:
        file["dense_1/a/kernel:0"] = np.zeros((2, 3), np.float32)
    refused("3 layers conv2d and 4 layers dense")
    with h5py.File(path, "w") as file:
        file["nothing"] = 1
    refused("no weights")
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    refused("weights.h5")
    keras(path)
    path.write_bytes(path.read_bytes()[:-20_000])
    refused("weights.h5")
    keras(path)
    with h5py.File(path, "a") as file:
        file["dense_8/model__x_1/dense_8/kernel:0"][0, 0] = np.nan
    refused("not finite")
    keras(path)
    with h5py.File(path, "a") as file:
        del file["conv2d_99"]
        file["conv2d_99"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")
    refused("link out of the file")
    with pytest.raises(FileNotFoundError):
        cm.DeepPlanck.from_released_weights(tmp_path / "none.h5", redshift_bin=2)
    keras(path)
    with pytest.raises(DomainError, match="redshift_bin"):
        cm.DeepPlanck.from_released_weights(path, redshift_bin=5)
    model = cm.DeepPlanck.from_released_weights(path, redshift_bin=1)
    with pytest.raises(ArrayError, match="96"):
        model.predict_images(np.zeros((3, 95, 96)))
    with pytest.raises(BadInputError, match="finite"):
        model.predict_images(np.full((96, 96), np.nan))


def test_layers_of_other_networks_are_read_too(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["dense/dense/kernel:0"] = np.ones((2, 3), np.float32)
        file["dense_1/dense_1/kernel:0"] = np.ones((3, 4), np.float32)
    found = read_keras_layers(tmp_path / "a.h5")
    assert [(kind, arrays["kernel"].shape) for kind, arrays in found] == [("dense", (2, 3)), ("dense", (3, 4))]
