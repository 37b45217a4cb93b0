"""Write particles and groups in the HDF5 layout of Gadget-4, as its snapshots and SUBFIND catalogues have it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..hdf5_out import create_hdf5
from .profiles import Epoch

if TYPE_CHECKING:
    import h5py

# kpc/h, 1e10 Msun/h and km/s, with the gram and the centimetre as the codes of the family write them
UNIT_LENGTH_CM, UNIT_MASS_G, UNIT_VELOCITY_CM_S = 3.085678e21, 1.989e43, 1e5
_SFR_CGS = 1.989e33 / 3.15576e7  # Msun/yr

PART_TYPES = {"gas": 0, "dark_matter": 1, "stars": 4}
# field -> dataset, powers of length, mass and velocity in its unit, power of a in a_scaling
_DATASETS: dict[str, tuple[str, tuple[int, int, int], float]] = {
    "positions": ("Coordinates", (1, 0, 0), 1.0),
    "velocities": ("Velocities", (0, 0, 1), 0.5),
    "masses": ("Masses", (0, 1, 0), 0.0),
    "density": ("Density", (-3, 1, 0), -3.0),
    "internal_energy": ("InternalEnergy", (0, 0, 2), 0.0),
    "smoothing_length": ("SmoothingLength", (1, 0, 0), 1.0),
    "star_formation_rate": ("StarFormationRate", (-1, 1, 1), 0.0),
    "electron_abundance": ("ElectronAbundance", (0, 0, 0), 0.0),
    "formation_scale_factor": ("StellarFormationTime", (0, 0, 0), 0.0),
}


def _stored(field: str, values: NDArray[Any], epoch: Epoch) -> NDArray[np.float32]:
    """Internal units to those of the file: kpc/h comoving, 1e10 Msun/h, velocities over sqrt(a)."""
    if field == "star_formation_rate":
        return values.astype(np.float32)  # Msun/yr in every code of the family
    _, (length, mass, _), _ = _DATASETS[field]
    factor = (1e3 * epoch.h) ** length * (1e-10 * epoch.h) ** mass
    if field == "velocities":
        factor /= np.sqrt(epoch.scale_factor)
    return (values * factor).astype(np.float32)


def _dataset(group: h5py.Group, name: str, values: NDArray[Any]) -> h5py.Dataset:
    filters = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True} if values.size else {}
    return group.create_dataset(name, data=values, **filters)


def _describe(dataset: h5py.Dataset, field: str) -> None:
    """The attributes by which Gadget-4 tells the unit of a dataset."""
    _, (length, mass, velocity), a_scaling = _DATASETS[field]
    if length == mass == velocity == 0:
        return
    rate = field == "star_formation_rate"
    cgs = UNIT_LENGTH_CM**length * UNIT_MASS_G**mass * UNIT_VELOCITY_CM_S**velocity
    dataset.attrs["a_scaling"] = a_scaling
    dataset.attrs["h_scaling"] = 0.0 if rate else float(-length - mass)
    dataset.attrs["length_scaling"] = float(length)
    dataset.attrs["mass_scaling"] = float(mass)
    dataset.attrs["velocity_scaling"] = float(velocity)
    dataset.attrs["to_cgs"] = _SFR_CGS if rate else cgs


def _common(file: h5py.File, epoch: Epoch, box_size: float, about: Mapping[str, Any]) -> h5py.Group:
    """Header and parameters that both kinds of file carry."""
    header = file.create_group("Header")
    header.attrs["BoxSize"] = box_size * 1e3 * epoch.h
    header.attrs["Redshift"] = epoch.redshift
    header.attrs["Time"] = epoch.scale_factor
    parameters = file.create_group("Parameters")
    parameters.attrs.update(
        {
            "BoxSize": box_size * 1e3 * epoch.h,
            "ComovingIntegrationOn": np.int32(1),
            "HubbleParam": epoch.h,
            "Omega0": epoch.omega_m,
            "OmegaLambda": 1.0 - epoch.omega_m,
            "OmegaBaryon": epoch.omega_b,
            "UnitLength_in_cm": UNIT_LENGTH_CM,
            "UnitMass_in_g": UNIT_MASS_G,
            "UnitVelocity_in_cm_per_s": UNIT_VELOCITY_CM_S,
        }
    )
    file.attrs.update(about)
    return header


def write_snapshot(
    path: Path, particles: Mapping[str, Mapping[str, NDArray[Any]]], *, epoch: Epoch, box_size: float,
    about: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write one snapshot file, whole or not at all.

    Parameters
    ----------
    path : Path
        Created or replaced.
    particles : mapping
        Particle type ("gas", "dark_matter", "stars") -> field -> array, in the internal units.
    epoch : Epoch
        Cosmology and redshift.
    box_size : float
        [comoving Mpc]
    about : mapping
        Attributes of the file.
    """
    counts = np.zeros(6, np.uint32)
    for name, fields in particles.items():
        counts[PART_TYPES[name]] = len(fields["masses"])
    with create_hdf5(path) as file:
        header = _common(file, epoch, box_size, about)
        header.attrs["NumPart_ThisFile"] = counts
        header.attrs["NumPart_Total"] = counts.astype(np.uint64)
        header.attrs["MassTable"] = np.zeros(6)
        header.attrs["NumFilesPerSnapshot"] = np.int32(1)
        first_id = 1
        for name, fields in particles.items():
            group = file.create_group(f"PartType{PART_TYPES[name]}")
            for field, values in fields.items():
                stored = _stored(field, values, epoch)
                if field == "positions":  # rounding to float32 may reach the edge of the periodic box
                    stored[stored >= header.attrs["BoxSize"]] = 0.0
                _describe(_dataset(group, _DATASETS[field][0], stored), field)
            n = len(fields["masses"])
            _dataset(group, "ParticleIDs", np.arange(first_id, first_id + n, dtype=np.uint32))
            first_id += n
        file.attrs["complete"] = True


def write_groups(
    path: Path, groups: Mapping[str, NDArray[Any]], *, epoch: Epoch, box_size: float, about: Mapping[str, Any]
) -> None:
    """Write a group catalogue of one file without subhaloes, whole or not at all.

    Parameters
    ----------
    path : Path
        Created or replaced.
    groups : mapping
        Name of a dataset -> array, one row per group, in internal units; masses, radii, positions and velocities are
        told by their names (GroupMass, Group_R_Crit200, GroupPos, GroupVel ...).
    epoch, box_size, about
        As in `write_snapshot`.
    """
    n = len(groups["GroupMass"])
    with create_hdf5(path) as file:
        header = _common(file, epoch, box_size, about)
        header.attrs["Ngroups_ThisFile"] = header.attrs["Ngroups_Total"] = np.uint64(n)
        header.attrs["Nsubhalos_ThisFile"] = header.attrs["Nsubhalos_Total"] = np.uint64(0)
        header.attrs["Nids_ThisFile"] = header.attrs["Nids_Total"] = np.uint64(groups["GroupLen"].sum())
        header.attrs["NumFiles"] = np.int32(1)
        table = file.create_group("Group")
        for name, values in groups.items():
            if "Mass" in name or "_M_" in name:
                values = (values * (1e-10 * epoch.h)).astype(np.float32)
            elif "_R_" in name or name == "GroupPos":
                values = (values * (1e3 * epoch.h)).astype(np.float32)
            elif name == "GroupVel":  # Gadget-4 and TNG: the peculiar velocity times a
                values = (values * epoch.scale_factor).astype(np.float32)
            _dataset(table, name, values)
        file.attrs["complete"] = True
