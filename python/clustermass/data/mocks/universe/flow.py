"""Large-scale flow and tides of a box at Eulerian places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .field import LinearField, gaussian
from .mesh import Field, Mesh

FloatArray = NDArray[np.float64]
SMOOTHING = 4.0  #: comoving Mpc/h: Gaussian radius of the flow and of the tides, about that of a cluster's patch
_COARSE = 4.0  # comoving Mpc/h: cells of the flow's own mesh are not smaller
_BLOCK = 1 << 18  # nodes deposited at a time
_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@dataclass(frozen=True)
class Flow:
    """Smoothed matter, its velocity and its tides on a mesh.

    Attributes
    ----------
    mesh : Mesh
    overdensity : (n, n, n) float32
        Of displaced matter, Gaussian mean.
    velocity : three (n, n, n) float32
        [km/s], the mean of matter (weighted by mass) in the same Gaussian.
    tide : six (n, n, n) float32
        d_i d_j grad^-2 of the overdensity: xx, xy, xz, yy, yz, zz; the trace is the overdensity.
    """

    mesh: Mesh
    overdensity: Field
    velocity: tuple[Field, ...]
    tide: tuple[Field, ...]

    def velocity_at(self, positions: FloatArray) -> FloatArray:
        """Peculiar velocity of the flow [km/s] at places (m, 3) [comoving Mpc]; (m, 3)."""
        nodes = self.mesh.nodes_of(positions)
        return np.stack([nodes.values(field) for field in self.velocity], axis=1)

    def overdensity_at(self, positions: FloatArray) -> FloatArray:
        """Smoothed overdensity of matter at places (m, 3) [comoving Mpc]; (m,)."""
        return self.mesh.nodes_of(positions).values(self.overdensity)

    def tidal_axes_at(self, positions: FloatArray) -> FloatArray:
        """Principal axes of the tides at places (m, 3) [comoving Mpc]; (m, 3, 3), rows of length 1.

        Rows go from slowest to fastest collapse: row 0 lies along the filament, row 2 across the sheet. The sign of a
        row is such that its largest component is positive.
        """
        nodes = self.mesh.nodes_of(positions)
        tensor = np.empty((len(positions), 3, 3))
        for (i, j), field in zip(_PAIRS, self.tide, strict=True):
            tensor[:, i, j] = tensor[:, j, i] = nodes.values(field)
        axes = np.linalg.eigh(tensor)[1].transpose(0, 2, 1)  # rising eigenvalues, vectors as rows
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=2)[..., None], axis=2)
        return np.asarray(axes * np.where(largest < 0, -1.0, 1.0))


def make_flow(field: LinearField, h: float) -> Flow:
    """Displace matter, and smooth what it carries.

    Cost: sixteen deposits of the whole mesh and fourteen transforms of a coarser one.
    """
    n = field.mesh.n
    largest = max(field.mesh.cell, 1.05 * _COARSE / h)  # 250 Mpc/h: 64 cells
    mesh = Mesh(min(n, max(8, 2 * round(0.5 * field.mesh.box_size / largest + 0.5))), field.mesh.box_size)
    mass, momentum = deposit_matter(field, mesh)
    table = gaussian(mesh, SMOOTHING / h)
    mass /= mass.mean(dtype=float)
    modes = mesh.filtered(mesh.to_modes(mass), table)
    modes[0, 0, 0] = 0.0
    overdensity = mesh.to_space(modes)
    density = np.maximum(1.0 + overdensity, np.float32(1e-3))
    velocity = []
    for component in momentum:
        smooth = mesh.to_space(mesh.filtered(mesh.to_modes(component), table))
        velocity.append(smooth / density)
    half = mesh.n // 2
    modes[half], modes[:, half], modes[:, :, half] = 0.0, 0.0, 0.0
    square = np.arange(mesh.wave_numbers().size, dtype=float)
    inverse = np.divide(1.0, square, out=np.zeros_like(square), where=square > 0)
    tide = tuple(mesh.to_space(mesh.derivative(modes, -inverse, pair)) for pair in _PAIRS)
    return Flow(mesh, overdensity, tuple(velocity), tide)


def deposit_matter(field: LinearField, mesh: Mesh) -> tuple[Field, list[Field]]:
    """Mass and momentum of displaced matter on a mesh, per cell of the field's mesh: some planes at a time."""
    n = field.mesh.n
    shift = [part for _, part in field.displacements(0.0)]
    speed = [part for _, part in field.velocities(0.0)]
    sums = [np.zeros(mesh.n**3) for _ in range(4)]
    scale = mesh.n**3 / n**3
    planes = max(1, _BLOCK // n**2)
    for low in range(0, n, planes):
        part = slice(low, min(low + planes, n))
        index = np.indices((n, n, n), sparse=True)
        lattice = np.broadcast_arrays(index[0][part], index[1], index[2])
        moved = [node * field.mesh.cell + axis[part] for node, axis in zip(lattice, shift, strict=True)]
        nodes = mesh.nodes_of(np.stack([axis.reshape(-1) for axis in moved], axis=1))
        weights: list[FloatArray | float] = [scale]
        weights += [scale * axis[part].reshape(-1).astype(np.float64) for axis in speed]
        nodes.add_to(sums, weights)
    mass, *momentum = (total.astype(np.float32).reshape((mesh.n,) * 3) for total in sums)
    return mass, momentum
