"""Which observations train, validate and test. Always by host: views of one cluster never lie on two sides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import BadInputError, DomainError

SPLITS = ("train", "validation", "test")


def assign_folds(host_id: ArrayLike, log10_mass: ArrayLike, *, n_folds: int = 10) -> NDArray[np.int64]:
    """Fold of each row: the rank of its host by mass, modulo `n_folds` (Ho et al. 2019).

    Parameters
    ----------
    host_id : array_like of int, shape (n,)
        Rows with equal numbers are views of one host.
    log10_mass : array_like of float, shape (n,)
        Equal for equal hosts. Hosts of equal mass are ranked by number.
    n_folds : int
        At least 1.

    Returns
    -------
    ndarray of int64, shape (n,)
        0 to n_folds - 1.

    Raises
    ------
    BadInputError
        If a mass is not finite, or one host has two masses.
    DomainError, DTypeError, ArrayError

    Examples
    --------
    >>> assign_folds([5, 5, 9, 2], [14.2, 14.2, 13.9, 14.0], n_folds=2).tolist()
    [0, 0, 0, 1]
    """
    hosts, first, back = _hosts(host_id)
    mass = check.float_array(log10_mass, "log10_mass", (back.size,), dtype=np.float64)
    check.check_finite(mass, "log10_mass")
    n_folds = check.integer(n_folds, "n_folds", low=1)
    of_host = mass[first]
    if not (mass == of_host[back]).all():
        row = int(np.argmax(mass != of_host[back]))
        raise BadInputError(f"`log10_mass` must be equal for all rows of a host, got another at index {row}")
    rank = np.empty(hosts.size, np.int64)
    rank[np.lexsort((hosts, of_host))] = np.arange(hosts.size)
    return np.asarray((rank % n_folds)[back])


def assign_splits(
    host_id: ArrayLike, *, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1), seed: int
) -> NDArray[np.int64]:
    """0 (training), 1 (validation) or 2 (test) for each row, drawn at random by host.

    Parameters
    ----------
    host_id : array_like of int, shape (n,)
        Rows with equal numbers are views of one host.
    fractions : three floats
        Shares of the hosts, not negative, with sum 1.
    seed : int
        From 0 to 2^64 - 1. The draw depends on the seed and the set of hosts, not on the order of rows.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    DomainError, DTypeError, ArrayError

    Examples
    --------
    >>> import numpy as np
    >>> split = assign_splits(np.repeat(np.arange(20), 3), seed=1)
    >>> (np.bincount(split) / 3).tolist()
    [16.0, 2.0, 2.0]
    """
    hosts, _, back = _hosts(host_id)
    shares = check.float_array(fractions, "fractions", (3,), dtype=np.float64)
    if not ((shares >= 0).all() and abs(shares.sum() - 1) < 1e-9):
        raise DomainError(f"`fractions` must be three shares with sum 1, got {tuple(fractions)}")
    generator = np.random.Generator(np.random.Philox(key=[check.seed(seed), 0x73706C6974]))
    edges = np.floor(np.cumsum(shares)[:2] * hosts.size + 0.5).astype(np.int64)
    label = np.empty(hosts.size, np.int64)
    label[generator.permutation(hosts.size)] = np.searchsorted(edges, np.arange(hosts.size), "right")
    return np.asarray(label[back])


def assign_octants(positions: ArrayLike, box_size: float) -> NDArray[np.int64]:
    """Eighth of the box of each position: bit 0 is set in the upper half of x, bit 1 of y, bit 2 of z.

    Parameters
    ----------
    positions : array_like of float, shape (n, 3)
        [comoving Mpc]; outside the box they are wrapped into it.
    box_size : float
        [comoving Mpc]

    Returns
    -------
    ndarray of int64, shape (n,)
        0 to 7. Clusters of different octants share no matter but at the borders.

    Raises
    ------
    DomainError, BadInputError, ArrayError

    Examples
    --------
    >>> assign_octants([[1, 1, 1], [9, 1, 1], [9, 9, 9], [-1, 1, 1]], 10.0).tolist()
    [0, 1, 7, 1]
    """
    where = check.float_array(positions, "positions", (None, 3), unit="Mpc", dtype=np.float64)
    check.check_finite(where, "positions")
    box_size = check.number(box_size, "box_size", above=0, unit="Mpc")
    return np.asarray(((where % box_size) >= 0.5 * box_size) @ np.array([1, 2, 4]), np.int64)


def audit_splits(host_id: ArrayLike, labels: ArrayLike, name: str = "labels") -> None:
    """Raise BadInputError if rows of one host carry two labels: training on what one tests with."""
    hosts, first, back = _hosts(host_id)
    values = np.asarray(labels)
    wrong = values != values[first][back]
    if wrong.any():
        host = hosts[back[int(np.argmax(wrong))]]
        raise BadInputError(f"`{name}` must be equal for all views of a host, got two values for host {host}")


def _hosts(host_id: ArrayLike) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
    """Unique hosts, the first row of each, and the host of each row."""
    ids = np.asarray(host_id)
    if ids.size == 0:
        ids = ids.astype(np.int64)
    keys = check.item_keys(ids, ids.size, "host_id")
    hosts, first, back = np.unique(keys, return_index=True, return_inverse=True)
    return hosts, first, back
