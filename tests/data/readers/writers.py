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
                shape = (min(chunks or 1, len(values)), *values.shape[1:])
                options = {"chunks": shape, "compression": "gzip"} if chunks else {}
                data = file.create_dataset(f"PartType{i}/{names[name]}", data=stored, **options)
                if attributes:
                    attributes(data, name, length, mass)
    return path


def write_set(folder, made, n_files, stem="snap_007"):
    """A snapshot in several files; returns their paths."""
    header = {"NumFilesPerSnapshot": n_files, "NumPart_Total": np.array(made.counts, np.uint32)}
    return [write_gadget_hdf5(folder / f"{stem}.{i}.hdf5", made.part(i, n_files), header=header)
            for i in range(n_files)]  # fmt: skip


BLOCKS = {
    "POS": "positions", "VEL": "velocities", "ID": "ids", "MASS": "masses", "U": "internal_energy", "RHO": "density",
    "NE": "electron_abundance", "NH": "nh", "HSML": "smoothing_length", "SFR": "star_formation_rate",
    "AGE": "formation_scale_factor", "Z": "metallicity",
}  # fmt: skip


def binary_header(made, order="<", **changes):
    """The 256 bytes of Gadget-2; `changes` are entries of the dictionary below."""
    head = {
        "npart": made.counts, "mass": [m * made.h / 1e10 for m in made.mass_table], "time": made.a, "redshift": made.z,
        "flag_sfr": 1, "flag_feedback": 0, "total": made.counts, "flag_cooling": 1, "num_files": 1,
        "box": made.box * made.h * 1e3, "omega0": made.omega_m, "omega_lambda": 1 - made.omega_m, "h": made.h,
        "flag_age": 1, "flag_metals": 1, "high": (0,) * 6, "flag_entropy": 0,
    } | changes  # fmt: skip
    raw = b"".join(
        np.array(head[key]).astype(order + kind).tobytes()
        for key, kind in (("npart", "u4"), ("mass", "f8"), ("time", "f8"), ("redshift", "f8"), ("flag_sfr", "i4"),
                          ("flag_feedback", "i4"), ("total", "u4"), ("flag_cooling", "i4"), ("num_files", "i4"),
                          ("box", "f8"), ("omega0", "f8"), ("omega_lambda", "f8"), ("h", "f8"), ("flag_age", "i4"),
                          ("flag_metals", "i4"), ("high", "u4"), ("flag_entropy", "i4"))
    )  # fmt: skip
    return raw.ljust(256, b"\0")


def record(data, order="<", name=None):
    """A Fortran record, after a name record in format 2."""
    mark = lambda n: np.array(n % 2**32).astype(order + "u4").tobytes()  # noqa: E731
    body = mark(len(data)) + data + mark(len(data))
    if name is None:
        return body
    return mark(8) + name.ljust(4).encode() + mark(len(data) + 8) + mark(8) + body


def write_gadget_binary(path, made, *, version=1, order="<", dtype="f4", id_dtype="u4", header=None, blocks=BLOCKS,
                        extra=()):  # fmt: skip
    """`blocks`: those to write, in order; `extra`: (name, bytes) put in front of POS and at the end (format 2)."""
    factors = code_values(made)
    label = (lambda name: name) if version == 2 else (lambda name: None)
    out = [record(binary_header(made, order, **(header or {})), order, label("HEAD"))]
    out += [record(data, order, name) for name, data in extra]
    for name in blocks:
        pieces = []
        for i, t in enumerate(TYPES):
            fields = made.data.get(t, {}) | ({"nh": np.zeros(made.counts[0])} if t == "gas" else {})
            values = fields.get(BLOCKS[name])
            if values is not None and not (name == "MASS" and made.mass_table[i]):
                kind = id_dtype if name == "ID" else dtype
                pieces.append((values * factors.get(BLOCKS[name], 1)).astype(order + kind).tobytes())
        if pieces:
            out.append(record(b"".join(pieces), order, label(name)))
    out += [record(data, order, name) for name, data in extra]
    path.write_bytes(b"".join(out))
    return path


SWIFT = {
    "positions": "Coordinates", "velocities": "Velocities", "masses": "Masses", "ids": "ParticleIDs",
    "internal_energy": "InternalEnergies", "density": "Densities", "smoothing_length": "SmoothingLengths",
    "star_formation_rate": "StarFormationRates", "metallicity": "MetalMassFractions",
    "formation_scale_factor": "BirthScaleFactors",
}  # fmt: skip
OLD_SWIFT = SWIFT | {"internal_energy": "InternalEnergy", "density": "Density", "smoothing_length": "SmoothingLength"}
# powers of length, mass and time, and of a, in SWIFT's output (energies are comoving, gamma = 5/3)
SWIFT_SCALINGS = {
    "positions": (1, 0, 0, 1), "velocities": (1, 0, -1, 0), "masses": (0, 1, 0, 0), "internal_energy": (2, 0, -2, -2),
    "density": (-3, 1, 0, -3), "smoothing_length": (1, 0, 0, 1), "star_formation_rate": (0, 1, -1, 0),
}  # fmt: skip


def swift_value(made, name, values, gamma, units):
    """A field in SWIFT's own units: no h, peculiar velocities, comoving energies, smoothing length by FWHM."""
    length, mass, time = units  # Mpc, Msun, Mpc / (km/s)
    if name == "smoothing_length":
        return values / gamma / length
    if name == "internal_energy":
        return values * made.a**2 * (time / length) ** 2
    if name == "star_formation_rate":  # Msun/yr: one Mpc / (km/s) is 9.778e11 years
        return values * 9.7779222e11 / mass * time
    lp, mp, tp, _ = SWIFT_SCALINGS.get(name, (0, 0, 0, 0))
    return values / length**lp / mass**mp / time**tp


def write_swift(path, made, *, kernel=b"Quartic spline (M5)", gamma=2.018932, names=SWIFT, attributes="new",
                units=(1.0, 1e10, 1.0), header=None, cosmology=None):  # fmt: skip
    cgs = (units[0] * MPC_CM, units[1] * 1.98841e33, units[2] * MPC_CM / KM_CM)
    head = {
        "Code": np.bytes_("SWIFT"), "BoxSize": [made.box / units[0]] * 3, "Dimension": [3], "Time": [0.01],
        "Scale-factor": [made.a], "Redshift": [made.z], "NumFilesPerSnapshot": [1], "MassTable": np.zeros(7),
        "NumPart_ThisFile": np.array([*made.counts, 0], np.uint64), "NumPart_Total": np.array([*made.counts, 0], "u4"),
        "NumPart_Total_HighWord": np.zeros(7, "u4"),
    }  # fmt: skip
    model = {"Cosmological run": [1], "h": [made.h], "Omega_m": [made.omega_m], "Omega_lambda": [1 - made.omega_m],
             "Scale-factor": [made.a], "Redshift": [made.z]}  # fmt: skip
    with h5py.File(path, "w") as file:
        file.create_group("Header").attrs.update(head | (header or {}))
        file.create_group("Cosmology").attrs.update(model if cosmology is None else cosmology)
        if kernel is not None:
            file.create_group("HydroScheme").attrs["Kernel function"] = kernel
        for name, symbol, value in zip(("length", "mass", "time"), ("U_L", "U_M", "U_t"), cgs, strict=True):
            file.require_group("Units").attrs[f"Unit {name} in cgs ({symbol})"] = [value]
        for i, t in enumerate(TYPES):
            fields = made.data.get(t, {})
            if fields and made.mass_table[i]:  # SWIFT always stores masses
                fields = fields | {"masses": np.full(made.counts[i], made.mass_table[i])}
            for name, values in fields.items():
                if name not in names:
                    continue
                stored = swift_value(made, name, values, gamma, units)
                kind = np.uint64 if name == "ids" else np.float64 if name == "positions" else np.float32
                data = file.create_dataset(f"PartType{i}/{names[name]}", data=stored.astype(kind))
                if attributes:
                    *powers, a_power = SWIFT_SCALINGS.get(name, (0, 0, 0, 0))
                    key = {
                        "new": "Conversion factor to CGS (not including cosmological corrections)",
                        "old": "CGS conversion factor",
                    }[attributes]
                    data.attrs[key] = [float(np.prod(np.power(cgs, powers)))]
                    data.attrs["a-scale exponent"], data.attrs["h-scale exponent"] = [float(a_power)], [0.0]
    return path


def write_groups(path, n=6, n_sub=9, *, a=0.8, h=0.7, length=1e-3, header=None, parameters=None, skip=(), tng=False,
                 seed=3):  # fmt: skip
    """A Gadget-4 or TNG catalogue; returns what it holds in the units of the package."""
    rng = np.random.default_rng(seed)
    mass = 10 ** rng.uniform(13, 15, n)
    expansion = 0.3 / a**3 + 0.7
    radius = (mass * h / (2.3251e14 * expansion * a**3)) ** (1 / 3) / h  # M200c = 200 rho_c(a) 4 pi / 3 (a R200c)^3
    held = {
        "positions": rng.uniform(0, 20, (n, 3)), "velocities": rng.normal(0, 300, (n, 3)), "m200c": mass,
        "r200c": radius, "m500c": 0.7 * mass, "r500c": 0.65 * radius, "m200m": 1.2 * mass, "r200m": 1.4 * radius,
        "masses": 1.1 * mass, "length_by_type": rng.integers(1, 99, (n, 6)),
        "first_subhalo": np.where(np.arange(n) < n - 1, np.arange(n), -1), "n_subhaloes": np.ones(n, int),
    }  # fmt: skip
    held["n_subhaloes"][-1] = 0
    sub = {
        "positions": rng.uniform(0, 20, (n_sub, 3)), "velocities": rng.normal(0, 300, (n_sub, 3)),
        "masses": 10 ** rng.uniform(11, 14, n_sub), "group_index": rng.integers(0, n, n_sub),
        "length_by_type": rng.integers(1, 9, (n_sub, 6)), "velocity_dispersion": rng.uniform(50, 900, n_sub),
        "maximum_circular_velocity": rng.uniform(50, 900, n_sub),
    }  # fmt: skip
    names = {
        "positions": "GroupPos", "velocities": "GroupVel", "m200c": "Group_M_Crit200", "r200c": "Group_R_Crit200",
        "m500c": "Group_M_Crit500", "r500c": "Group_R_Crit500", "m200m": "Group_M_Mean200", "r200m": "Group_R_Mean200",
        "masses": "GroupMass", "length_by_type": "GroupLenType", "first_subhalo": "GroupFirstSub",
        "n_subhaloes": "GroupNsubs",
    }  # fmt: skip
    sub_names = {
        "positions": "SubhaloPos", "velocities": "SubhaloVel", "masses": "SubhaloMass",
        "group_index": "SubhaloGrNr" if tng else "SubhaloGroupNr", "length_by_type": "SubhaloLenType",
        "velocity_dispersion": "SubhaloVelDisp", "maximum_circular_velocity": "SubhaloVmax",
    }  # fmt: skip
    factors = dict.fromkeys(("positions", "r200c", "r500c", "r200m"), h / length)
    factors |= dict.fromkeys(("m200c", "m500c", "m200m", "masses"), h / 1e10)
    subs = "Nsubgroups" if tng else "Nsubhalos"
    head = {"Time": a, "Redshift": 1 / a - 1, "BoxSize": 20 * h / length, "NumFiles": 1, "Ngroups_ThisFile": n,
            "Ngroups_Total": n, f"{subs}_ThisFile": n_sub, f"{subs}_Total": n_sub}  # fmt: skip
    model = {"HubbleParam": h, "Omega0": 0.3, "OmegaLambda": 0.7}
    with h5py.File(path, "w") as file:
        file.create_group("Header").attrs.update(head | (model if tng else {}) | (header or {}))
        if not tng and parameters is not False:
            file.create_group("Parameters").attrs.update(model | (parameters or {}))
        for group, table, group_names in (("Group", held, names), ("Subhalo", sub, sub_names)):
            file.create_group(group)
            for entry, values in table.items():
                if entry in skip:
                    continue
                # the codes sum a^2 dx/dt over a group: its velocity is stored times a, that of a subhalo is peculiar
                factor = a if (group, entry) == ("Group", "velocities") else factors.get(entry, 1)
                kind = "i4" if values.dtype.kind == "i" else "f4"
                file[f"{group}/{group_names[entry]}"] = (values * factor).astype(kind)
    return held, sub
