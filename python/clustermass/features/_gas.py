"""What the functions on gas particles share: blocks, the default electron abundance, counted warnings."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..constants import full_electron_abundance
from ..errors import DataWarning

#: particles per block: the temporaries of one block stay in the cache, and memory does not grow with the chunk
BLOCK = 131_072


def warn_default_electrons(hydrogen_fraction: float, stacklevel: int) -> None:
    """Say that the electron abundance is assumed; `stacklevel` as in warnings.warn, counted from the caller."""
    warnings.warn(
        "no electron abundance: the gas is taken to be fully ionised hydrogen and helium, "
        f"n_e / n_H = {full_electron_abundance(hydrogen_fraction):.4f}",
        DataWarning,
        stacklevel=stacklevel + 1,
    )


def electrons_or_default(value: Any, n: int, hydrogen_fraction: float) -> NDArray[np.floating[Any]]:
    """Electron abundance of n particles; the one of fully ionised gas, with a warning, where `value` is None."""
    if value is not None:
        return check.float_array(value, "electron_abundance", (n,))
    warn_default_electrons(hydrogen_fraction, stacklevel=3)
    return np.broadcast_to(np.float64(full_electron_abundance(hydrogen_fraction)), (n,))


def warn_dead(count: int, total: int, what: str, where: str) -> None:
    """Say how many particles count for nothing because their state is unusable."""
    if count:
        warnings.warn(
            f"{where}: {count} of {total} gas particles have no usable {what} (zero, negative, NaN or infinite) "
            "and count as 0",
            DataWarning,
            stacklevel=3,
        )
