"""A small made-up universe in the units of the package, and writers that put it into each format's own units.

The writers know the formats from their documentation and share no code with the readers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import h5py
import numpy as np

TYPES = ("gas", "dark_matter", "disk", "bulge", "stars", "black_holes")
MPC_CM, MSUN_G, KM_CM = 3.085678e24, 1.989e33, 1e5


@dataclass
class Universe:
    """Fields by particle type: comoving Mpc, km/s peculiar, Msun."""

    a: float = 0.8
    h: float = 0.7
    omega_m: float = 0.3
    box: float = 20.0
    mass_table: tuple = (0.0, 5e10, 0.0, 0.0, 0.0, 0.0)
    data: dict = field(default_factory=dict)

    @property
    def z(self):
        return 1 / self.a - 1

    @property
    def counts(self):
        return tuple(len(self.data[t]["positions"]) if t in self.data else 0 for t in TYPES)

    def part(self, i, n):
        """File i of n: every type cut into n pieces."""
        data = {t: {k: np.array_split(v, n)[i] for k, v in fields.items()} for t, fields in self.data.items()}
        return Universe(self.a, self.h, self.omega_m, self.box, self.mass_table, data)


def universe(n_gas=70, n_dark=50, n_stars=11, seed=5, **kwargs):
    rng = np.random.default_rng(seed)
    made = Universe(**kwargs)
    for k, (t, n) in enumerate(zip(("gas", "dark_matter", "stars"), (n_gas, n_dark, n_stars), strict=True)):
        if n:
            made.data[t] = {
                "positions": rng.uniform(0, made.box, (n, 3)),
                "velocities": rng.normal(0, 300, (n, 3)),
                "ids": np.arange(n, dtype=np.uint64) + np.uint64(k * 2_000_000_000 + 1),
            }
    if n_gas:
        made.data["gas"] |= {
            "masses": rng.uniform(1e9, 2e9, n_gas),
            "internal_energy": rng.uniform(1e3, 1e6, n_gas),
            "density": rng.uniform(1e9, 1e14, n_gas),
            "electron_abundance": rng.uniform(1.1, 1.2, n_gas),
            "smoothing_length": rng.uniform(0.01, 0.5, n_gas),
            "star_formation_rate": rng.choice([0.0, 2.5], n_gas),
            "metallicity": rng.uniform(0, 0.02, n_gas),
        }
    if n_stars:
        made.data["stars"] |= {
            "masses": rng.uniform(1e8, 2e9, n_stars),
            "metallicity": rng.uniform(0, 0.02, n_stars),
            "formation_scale_factor": rng.uniform(0.2, made.a, n_stars),
        }
    return made


def code_values(made, length=1e-3, mass=1e10):
    """Field -> factor from the package's units to Gadget's code units (length in Mpc/h, mass in Msun/h)."""
    return {
        "positions": made.h / length,
        "smoothing_length": made.h / length,
        "masses": made.h / mass,
        "density": (made.h / mass) / (made.h / length) ** 3,
        "velocities": 1 / np.sqrt(made.a),
    }


GADGET = {
    "positions": "Coordinates", "velocities": "Velocities", "masses": "Masses", "ids": "ParticleIDs",
    "internal_energy": "InternalEnergy", "density": "Density", "electron_abundance": "ElectronAbundance",
    "smoothing_length": "SmoothingLength", "star_formation_rate": "StarFormationRate", "metallicity": "Metallicity",
    "formation_scale_factor": "StellarFormationTime",
}  # fmt: skip
TNG = GADGET | {"metallicity": "GFM_Metallicity", "formation_scale_factor": "GFM_StellarFormationTime"}
EAGLE = GADGET | {"masses": "Mass", "velocities": "Velocity"}

# field -> powers of length, mass and velocity units; of a and h in the physical cgs value
SCALINGS = {
    "positions": (1, 0, 0, 1, -1),
    "velocities": (0, 0, 1, 0.5, 0),
    "masses": (0, 1, 0, 0, -1),
    "internal_energy": (0, 0, 2, 0, 0),
    "density": (-3, 1, 0, -3, 2),
    "smoothing_length": (1, 0, 0, 1, -1),
}


def gadget_header(made, length=1e-3, mass=1e10):
    return {
        "NumPart_ThisFile": np.array(made.counts, np.int32),
        "NumPart_Total": np.array(made.counts, np.uint32),
        "NumPart_Total_HighWord": np.zeros(6, np.uint32),
        "MassTable": np.array(made.mass_table) * made.h / mass,
        "Time": made.a,
        "Redshift": made.z,
        "BoxSize": made.box * made.h / length,
        "NumFilesPerSnapshot": 1,
        "Omega0": made.omega_m,
        "OmegaLambda": 1 - made.omega_m,
        "HubbleParam": made.h,
    }


def _unit_cgs(name, length, mass):
    lp, mp, vp, _, _ = SCALINGS[name]
    return (length * MPC_CM) ** lp * (mass * MSUN_G) ** mp * KM_CM**vp


def set_gadget4_attributes(data, name, length, mass):
    if name in SCALINGS:
        keys = ("length_scaling", "mass_scaling", "velocity_scaling", "a_scaling", "h_scaling")
        data.attrs.update(dict(zip(keys, map(float, SCALINGS[name]), strict=True)))
        data.attrs["to_cgs"] = _unit_cgs(name, length, mass)


def set_eagle_attributes(data, name, length, mass):
    a_power, h_power = SCALINGS[name][3:] if name in SCALINGS else (0, 0)
    data.attrs["CGSConversionFactor"] = _unit_cgs(name, length, mass) if name in SCALINGS else 1.0
    if name == "star_formation_rate":
        data.attrs["CGSConversionFactor"] = 6.30275e25
    data.attrs["aexp-scale-exponent"], data.attrs["h-scale-exponent"] = np.float32(a_power), np.float32(h_power)
    data.attrs["VarDescription"] = b"Physical p = a^n h^m p_code"


def write_gadget_hdf5(path, made, *, names=GADGET, attributes=None, header=None, groups=None, length=1e-3, mass=1e10,
                      dtype=np.float32, chunks=None, skip=()):  # fmt: skip
    """`attributes`: a function that describes a dataset; `groups`: further groups of attributes; `skip`: fields."""
    factors = code_values(made, length, mass)
    with h5py.File(path, "w") as file:
        file.create_group("Header").attrs.update(gadget_header(made, length, mass) | (header or {}))
        for group, entries in (groups or {}).items():
            file.require_group(group).attrs.update(entries)
        for i, t in enumerate(TYPES):
            for name, values in made.data.get(t, {}).items():
                if name in skip or (t, name) in skip:
                    continue
                stored = (values * factors.get(name, 1)).astype(np.uint32 if name == "ids" else dtype)
                options = {"chunks": (chunks, *values.shape[1:]), "compression": "gzip"} if chunks else {}
                data = file.create_dataset(f"PartType{i}/{names[name]}", data=stored, **options)
                if attributes:
                    attributes(data, name, length, mass)
    return path


def write_set(folder, made, n_files, stem="snap_007"):
    """A snapshot in several files; returns their paths."""
    header = {"NumFilesPerSnapshot": n_files, "NumPart_Total": np.array(made.counts, np.uint32)}
    return [write_gadget_hdf5(folder / f"{stem}.{i}.hdf5", made.part(i, n_files), header=header)
            for i in range(n_files)]  # fmt: skip
