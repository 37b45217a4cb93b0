"""A periodic mesh: Gaussian modes that do not depend on its size, filters, derivatives, interpolation, deposit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .streams import stream

FloatArray = NDArray[np.float64]
Field = NDArray[np.float32]  # (n, n, n), values at the nodes i * cell
Modes = NDArray[np.complex64]  # (n, n, n // 2 + 1), of numpy's rfftn


@dataclass(frozen=True)
class Mesh:
    """n^3 nodes in a periodic box; tables of filters are indexed by the squared wave number in units of the lowest.

    Attributes
    ----------
    n : int
        Nodes a side, even.
    box_size : float, comoving Mpc
    """

    n: int
    box_size: float

    @property
    def cell(self) -> float:
        """Side of a cell [comoving Mpc]."""
        return self.box_size / self.n

    @property
    def lowest(self) -> float:
        """Lowest wave number [1/Mpc]."""
        return 2.0 * np.pi / self.box_size

    def wave_numbers(self) -> FloatArray:
        """|k| [1/Mpc] for each entry of a table."""
        return np.asarray(self.lowest * np.sqrt(np.arange(3 * (self.n // 2) ** 2 + 1)))

    def integers(self) -> NDArray[np.int64]:
        """Wave numbers of an axis in units of the lowest, 0, 1, ..., -1."""
        return np.asarray(np.fft.fftfreq(self.n, 1.0 / self.n).round().astype(np.int64))

    def _planes(self) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
        """(index, wave number, squared length of all wave vectors) of each plane of modes."""
        axis, half = self.integers(), np.arange(self.n // 2 + 1)
        flat = axis[:, None] ** 2 + half**2
        for i, kx in enumerate(axis):
            yield i, int(kx), flat + kx**2

    def filtered(self, modes: Modes, table: FloatArray) -> Modes:
        """Modes times a table of |k|."""
        factor, out = table.astype(np.float32), np.empty_like(modes)
        for i, _, square in self._planes():
            np.multiply(modes[i], factor[square], out=out[i])
        return out

    def derivative(self, modes: Modes, table: FloatArray, axes: tuple[int, ...]) -> Modes:
        """Modes times a table of |k|, times i k (in units of the lowest) for each of the axes.

        Modes at the Nyquist frequency must be zero: a derivative has no sign there.
        """
        factor, out = table.astype(np.float32), np.empty_like(modes)
        along = {1: self.integers()[:, None].astype(np.float32), 2: np.arange(self.n // 2 + 1, dtype=np.float32)}
        turn = np.complex64(1j ** len(axes))
        for i, kx, square in self._planes():
            weight = factor[square]
            for axis in axes:
                weight = weight * (np.float32(kx) if axis == 0 else along[axis])
            np.multiply(modes[i], turn * weight, out=out[i])
        return out

    def to_space(self, modes: Modes) -> Field:
        """Values at the nodes, float32."""
        from scipy import fft

        return np.asarray(fft.irfftn(modes, (self.n,) * 3))

    def to_modes(self, field: Field) -> Modes:
        """Modes of a field, complex64."""
        from scipy import fft

        return np.asarray(fft.rfftn(field))

    def white_modes(self, seed: int) -> Modes:
        """Modes of white noise of mean square 1; a finer mesh has the same ones and more of them.

        Shell s holds the wave vectors with the largest component s and has its own stream of numbers. Zero: the mean
        and the Nyquist frequency.
        """
        n = self.n
        modes = np.zeros((n, n, n // 2 + 1), np.complex64)
        for shell in range(1, n // 2):
            full, short = np.arange(-shell, shell + 1), np.arange(-shell + 1, shell)
            faces = [
                (full, full, np.array([shell])),
                (np.array([-shell, shell]), full, np.arange(shell)),
                (short, np.array([-shell, shell]), np.arange(shell)),
            ]
            rng = stream(seed, "field", shell)
            for face in faces:
                pairs = rng.standard_normal((*(axis.size for axis in face), 2), dtype=np.float32)
                modes[np.ix_(*face)] = (pairs[..., 0] + 1j * pairs[..., 1]) * np.float32(np.sqrt(0.5))
        # a real field: the mode of -k is the conjugate one; the half with kx > 0, or kx = 0 and ky > 0, leads
        back = -np.arange(n) % n
        plane = modes[:, :, 0]
        axis = self.integers()
        follows = (axis[:, None] < 0) | ((axis[:, None] == 0) & (axis < 0))
        plane[follows] = plane[np.ix_(back, back)].conj()[follows]
        return modes

    def nodes_of(self, positions: FloatArray) -> Nodes:
        """The eight nodes around each position (m, 3) [comoving Mpc], and their shares."""
        scaled = positions / self.cell
        low = np.floor(scaled)
        share = (scaled - low).astype(np.float32)
        corner = low.astype(np.int64) % self.n
        return Nodes(self.n, corner, share)


@dataclass(frozen=True)
class Nodes:
    """Eight nodes around each of m positions with trilinear shares, for many fields at the same places."""

    n: int
    corner: NDArray[np.int64]
    share: NDArray[np.float32]

    def _corners(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """(flat index, share) of the nodes, corner by corner."""
        n = self.n
        at = [(self.corner[:, a], (self.corner[:, a] + 1) % n) for a in range(3)]
        part = [(1.0 - self.share[:, a], self.share[:, a]) for a in range(3)]
        for i, j, k in np.ndindex(2, 2, 2):
            index = (at[0][i] * n + at[1][j]) * n + at[2][k]
            yield index, part[0][i] * part[1][j] * part[2][k]

    def values(self, field: Field) -> FloatArray:
        """The field at the positions, trilinear, (m,) float64."""
        flat = field.reshape(-1)
        out = np.zeros(len(self.corner))
        for index, share in self._corners():
            out += share * flat[index]
        return out

    def add_to(self, totals: list[FloatArray], weights: list[FloatArray | float]) -> None:
        """Add shares (cloud in cell), times each of the weights, to as many flat meshes of n^3 sums."""
        for index, share in self._corners():
            for total, weight in zip(totals, weights, strict=True):
                np.add.at(total, index, (share * weight).astype(np.float64))
