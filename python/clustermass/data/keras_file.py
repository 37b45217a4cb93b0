"""Weights that Keras wrote into HDF5, as arrays: nothing of Keras is needed, nothing of the file is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError
from .readers import hdf5

MAX_BYTES = 2**30  #: of all weights of a file
_DEPTH = 4
_LAYER = re.compile(r"(?P<kind>[A-Za-z_0-9]*?)(?:_(?P<number>\d+))?\Z")


def read_keras_layers(path: str | Path) -> list[tuple[str, dict[str, NDArray[np.float32]]]]:
    """Layers with weights, in the order in which Keras numbered them within their kind.

    Parameters
    ----------
    path : str or Path
        HDF5 of ``model.save_weights`` or ``model.save`` (Keras 2).

    Returns
    -------
    list of (str, dict)
        Kind of the layer (``"conv2d"``, ``"dense"``) and its arrays by name (``"kernel"``, ``"bias"``), with the axes
        of Keras; sorted by kind, then by number.

    Raises
    ------
    FileNotFoundError
    FileFormatError, TruncatedFileError
        If the file is no such file or damaged, leads out of itself, or holds more than 1 GiB or what is not finite.

    Examples
    --------
    >>> read_keras_layers("nowhere.h5")
    Traceback (most recent call last):
    FileNotFoundError: [Errno 2] No such file or directory: 'nowhere.h5'
    """
    name, found, total = str(path), [], 0
    with hdf5.opened(name) as file:
        root = "model_weights" if "model_weights" in hdf5.names_in(file, "/", name) else ""
        for layer in hdf5.names_in(file, root or "/", name):
            arrays: dict[str, NDArray[Any]] = {}
            for where in _datasets(file, f"{root}/{layer}", name):
                data = hdf5.dataset(file, where, name, max_axes=4)
                if data is None:
                    continue
                total += data.size * 4
                if total > MAX_BYTES:
                    raise FileFormatError(f"{name}: more than {MAX_BYTES} bytes of weights")
                with hdf5.translated(name, where):
                    arrays[where.rsplit("/", 1)[-1].partition(":")[0]] = np.asarray(data[()], np.float32)
            for key, values in arrays.items():
                if not np.isfinite(values).all():
                    raise FileFormatError(f"{name}: {layer}/{key} holds values that are not finite")
            if arrays:
                parts = _LAYER.match(layer)
                kind, number = (parts["kind"], int(parts["number"] or 0)) if parts else (layer, 0)
                found.append((kind, number, arrays))
    if not found:
        raise FileFormatError(f"{name}: holds no weights of layers")
    return [(kind, arrays) for kind, _, arrays in sorted(found, key=lambda one: one[:2])]


def _datasets(file: Any, where: str, path: str, depth: int = _DEPTH) -> list[str]:
    """Names of the datasets below a group."""
    found: list[str] = []
    for part in hdf5.names_in(file, where, path):
        inner = f"{where}/{part}"
        if hdf5.names_in(file, inner, path):
            found += _datasets(file, inner, path, depth - 1) if depth else []
        else:
            found.append(inner)
    return [name for name in found if name.partition(":")[0].rsplit("/", 1)[-1] in ("kernel", "bias")]
