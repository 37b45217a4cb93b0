"""Divergences of all pairs of a catalogue, worked out once and shared by the rounds of a cross-validation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import DomainError
from ...ops.divergence import knn_divergences
from .kernels import gaussian_kernel, project, typical
from .samples import FloatArray, Samples, Scaler

MAX_CLUSTERS = 20_000  #: of one square of divergences: 3.2 GB, and as much for each of the matrices made of it


def divergences(samples: Samples, k: int, n_threads: int, others: Samples | None = None) -> FloatArray:
    """Kullback-Leibler divergences of all pairs."""
    largest = max(len(samples), len(others) if others else 0)
    if largest > MAX_CLUSTERS:
        raise DomainError(
            f"support distribution machines compare every pair: at most {MAX_CLUSTERS} clusters at a time, got "
            f"{largest}; use `max_training`, or transductive=False for many clusters to predict"
        )
    pair = None if others is None else (others.points, others.offsets)
    return knn_divergences(samples.points, samples.offsets, k=k, others=pair, n_threads=n_threads)


class DivergenceTable:
    """Clusters known by their content, their divergences, and the projected kernel of each sigma, made when asked for.

    Memory: 8 bytes for each pair of clusters, and 4 for each sigma of the grid.
    """

    def __init__(self, samples: Samples, k: int, n_threads: int) -> None:
        self.scaler = Scaler.of(samples)
        self.row_of = {key: row for row, key in enumerate(samples.hashes())}
        self.samples = self.scaler(samples)
        self.divergences = divergences(self.samples, k, n_threads)
        self.unit = typical(self.divergences)
        self._kernels: dict[float, NDArray[np.float32]] = {}

    def find(self, samples: Samples) -> NDArray[np.int64] | None:
        """Rows of these clusters; None if one is not here."""
        rows = [self.row_of.get(key, -1) for key in samples.hashes()]
        return None if -1 in rows else np.array(rows, np.int64)

    def kernel(self, sigma: float, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> FloatArray:
        """Part of the kernel of all clusters; sigma in units of the median positive divergence of all."""
        if sigma not in self._kernels:
            whole = gaussian_kernel(self.divergences, self.divergences, sigma * self.unit)
            self._kernels[sigma] = project(whole).astype(np.float32)
        return self._kernels[sigma][np.ix_(rows, columns)].astype(np.float64)
