"""Files of estimators: the same bits back, and every damage noticed."""

import json
import struct

import numpy as np
import pytest

from clustermass.errors import DomainError, FileFormatError, TruncatedFileError
from clustermass.models import registry
from clustermass.models.arrays_file import write_arrays
from clustermass.models.base import Estimator
from clustermass.models.posterior import MassPosterior
from clustermass.models.store import load_estimator, read_estimator_record, save_estimator

pytest.importorskip("safetensors")


class Toy(Estimator):
    """Mass from richness, a straight line."""

    name = "toy"
    inputs = ("velocities",)
    source = "this file"
    needs_fit = True

    def __init__(self, scale=1.0):
        self.scale, self.line = scale, np.zeros(2)

    def fit(self, clusters):
        self.line = np.polyfit(np.log10(clusters.n_galaxies), clusters.log10_m200c, 1)
        return self

    def predict(self, clusters):
        return MassPosterior.from_gaussian(np.polyval(self.line, np.log10(clusters.n_galaxies)), 0.2, "M200c")

    def state(self):
        return {"scale": self.scale}, {"line": self.line}

    @classmethod
    def from_state(cls, config, arrays):
        made = cls(**config)
        made.line = arrays["line"]
        return made


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(registry.ESTIMATORS, "toy", ("base", "Estimator", {}))
    real, module = registry.importlib.import_module, type("module", (), {"Estimator": Toy})
    pretend = lambda name, *package: module if name == ".base" else real(name, *package)  # noqa: E731
    monkeypatch.setattr(registry.importlib, "import_module", pretend)
    made = registry.make_estimator("toy", scale=1 / 3)
    made.line = np.array([1.1, 12.3456789012345678])
    return made


def test_state_comes_back_bit_for_bit(toy, tmp_path):
    path = tmp_path / "toy.safetensors"
    save_estimator(path, toy, record={"training": "abc", "n": 7})
    back = load_estimator(path)
    assert back.scale == toy.scale
    assert back.line.tobytes() == toy.line.tobytes()
    about = read_estimator_record(path)
    assert about["record"] == {"training": "abc", "n": 7}
    assert about["mass_definition"] == "M200c"
    assert about["versions"]["clustermass"]


def test_every_flipped_byte_is_noticed(toy, tmp_path):
    path = tmp_path / "toy.safetensors"
    save_estimator(path, toy)
    good = path.read_bytes()
    for at in range(0, len(good), 7):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :])
        try:
            back = load_estimator(path)
        except FileFormatError:
            continue
        assert back.line.tobytes() == toy.line.tobytes(), at  # white space of the header, at most
        assert back.scale == toy.scale


@pytest.mark.parametrize("keep", [0, 5, 8, 40, -1])
def test_truncated_files_are_refused(toy, tmp_path, keep):
    path = tmp_path / "toy.safetensors"
    save_estimator(path, toy)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises((FileFormatError, TruncatedFileError)):
        load_estimator(path)


def test_a_header_that_declares_more_than_there_is_allocates_nothing(tmp_path):
    path = tmp_path / "bomb.safetensors"
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    with pytest.raises(FileFormatError, match="declares a header"):
        load_estimator(path)


def test_foreign_files_and_unknown_estimators_are_refused(toy, tmp_path, monkeypatch):
    from safetensors.numpy import save_file

    path = tmp_path / "other.safetensors"
    save_file({"a": np.zeros(3)}, str(path))
    with pytest.raises(FileFormatError, match="not a file of clustermass"):
        load_estimator(path)
    save_file({"a": np.zeros(3)}, str(path), metadata={"clustermass": json.dumps({"format": "else"})})
    with pytest.raises(FileFormatError, match="checksum"):
        load_estimator(path)
    write_arrays(path, {"a": np.zeros(3)}, {"format": "else"})
    with pytest.raises(FileFormatError, match="not a file of an estimator"):
        load_estimator(path)
    save_estimator(path, toy)
    monkeypatch.delitem(registry.ESTIMATORS, "toy")
    with pytest.raises(FileFormatError, match="unknown estimator 'toy'"):
        load_estimator(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_estimator(tmp_path / "nowhere")


def test_a_failed_write_leaves_the_old_file(toy, tmp_path):
    path = tmp_path / "toy.safetensors"
    save_estimator(path, toy)
    before = path.read_bytes()
    with pytest.raises(DomainError, match="JSON"):
        save_estimator(path, toy, record={"bad": float("nan")})
    with pytest.raises(DomainError, match="registered"):
        save_estimator(path, type("Other", (Toy,), {"name": "other"})())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_names_and_settings_are_refused(toy):
    with pytest.raises(DomainError, match="'toy'"):
        registry.make_estimator("toi")
    with pytest.raises(DomainError, match="scales"):
        registry.make_estimator("toy", scales=2)
