"""From the units of a file to those of the package: the one place where h and the scale factor are applied.

Internal value = stored value x `factor`. Every factor is a product of powers of the file's units, of h and of the
scale factor a, and is a constant of a snapshot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import DomainError, UnitError
from ...units import KM_S_CM_S, MPC_CM, MSUN_G

YEAR_S = 3.15576e7  #: seconds in a Julian year


@dataclass(frozen=True)
class Dimension:
    """Powers of length, mass and velocity, and of a: physical = comoving x a^frame."""

    length: float = 0
    mass: float = 0
    velocity: float = 0
    frame: float = 0
    gadget_a: float = 0  # internal value = stored x a^gadget_a in Gadget's own convention

    @property
    def cgs(self) -> float:
        """The package's unit in cgs."""
        return float(MPC_CM**self.length * MSUN_G**self.mass * KM_S_CM_S**self.velocity)


#: Gadget stores comoving positions, lengths and densities, and velocities u with peculiar velocity = u sqrt(a).
DIMENSIONS: dict[str, Dimension] = {
    "positions": Dimension(length=1, frame=1),
    "velocities": Dimension(velocity=1, gadget_a=0.5),
    "masses": Dimension(mass=1),
    "internal_energy": Dimension(velocity=2),
    "density": Dimension(length=-3, mass=1, frame=-3),
    "smoothing_length": Dimension(length=1, frame=1),
}
#: Stored in these units by every code of the Gadget family, whatever its code units; cgs value of the unit.
FIXED_UNITS = {"star_formation_rate": MSUN_G / YEAR_S, "temperature": 1.0}


def nominal(factor: float) -> float:
    """`factor`, or the power of ten that it misses by less than 0.1 %.

    Codes disagree on the gram value of a solar mass (1.989e33, 1.9885e33...), so that 1.989e43 g is what a file means
    by 1e10 Msun; likewise 3.085678e21 cm is 1 kpc.

    Examples
    --------
    >>> nominal(1.989e43 / MSUN_G)
    10000000000.0
    >>> nominal(2.5)
    2.5
    """
    if not (factor > 0 and math.isfinite(factor)):
        return factor
    power = float(f"1e{round(math.log10(factor))}")
    return power if abs(factor / power - 1) < 1e-3 else factor


@dataclass(frozen=True)
class CodeUnit:
    """One unit of a file: its size in the package's unit, and the power of h that goes with it."""

    size: float
    h_power: float
    source: str

    def value(self, h: float) -> float:
        return float(self.size * h**self.h_power)


@dataclass(frozen=True)
class CodeUnits:
    """Length [Mpc], mass [Msun] and velocity [km/s] units of a file, with the h and a of the snapshot."""

    length: CodeUnit
    mass: CodeUnit
    velocity: CodeUnit
    h: float
    a: float

    def factor(self, field: str) -> float:
        """Stored to internal by the conventions of Gadget; 1 for a pure number."""
        if field not in DIMENSIONS:
            return 1.0
        dim = DIMENSIONS[field]
        sizes = ((self.length, dim.length), (self.mass, dim.mass), (self.velocity, dim.velocity))
        return float(math.prod(unit.value(self.h) ** power for unit, power in sizes) * self.a**dim.gadget_a)

    def factor_from(self, field: str, scaling: Scaling) -> float:
        """Stored to internal by what the file says about this dataset."""
        dim = DIMENSIONS.get(field, Dimension())
        unit = FIXED_UNITS.get(field) or dim.cgs
        powers = self.h**scaling.h_power * self.a ** (scaling.a_power - dim.frame)
        return float(nominal(scaling.to_cgs / unit) * powers)


@dataclass(frozen=True)
class Scaling:
    """Physical cgs value = stored x to_cgs x a^a_power x h^h_power."""

    to_cgs: float
    a_power: float
    h_power: float


# the three spellings: Gadget-4 / AREPO / TNG, EAGLE, SWIFT (new, old)
_SCALING_NAMES = (
    ("to_cgs", "a_scaling", "h_scaling"),
    ("CGSConversionFactor", "aexp-scale-exponent", "h-scale-exponent"),
    ("Conversion factor to CGS (not including cosmological corrections)", "a-scale exponent", "h-scale exponent"),
    ("CGS conversion factor", "a-scale exponent", "h-scale exponent"),
)
SCALING_ATTRIBUTES = tuple(dict.fromkeys(name for names in _SCALING_NAMES for name in names))


def scaling_of(attributes: Mapping[str, Any]) -> Scaling | None:
    """The scaling that a dataset's attributes state; None when they state none (TNG writes 0 for "no unit")."""
    for names in _SCALING_NAMES:
        if not all(name in attributes for name in names):
            continue
        to_cgs, a_power, h_power = (float(attributes[name]) for name in names)
        if to_cgs > 0 and all(map(math.isfinite, (to_cgs, a_power, h_power))):
            return Scaling(to_cgs, a_power, h_power)
    return None


#: Used when neither the caller nor the file says otherwise: kpc/h, 1e10 Msun/h, km/s (Gadget-2 user guide, section 2).
DEFAULT_SIZES = {"length": 1e-3, "mass": 1e10, "velocity": 1.0}
INTERNAL_CGS = {"length": MPC_CM, "mass": MSUN_G, "velocity": KM_S_CM_S}

_NAMED = {
    "length": {"Mpc": 1.0, "kpc": 1e-3, "pc": 1e-6, "cm": 1 / MPC_CM, "m": 1e2 / MPC_CM},
    "mass": {"Msun": 1.0, "g": 1 / MSUN_G, "kg": 1e3 / MSUN_G},
    "velocity": {"km/s": 1.0, "m/s": 1e-3, "cm/s": 1e-5},
}
_INTERNAL_NAMES = {"length": "Mpc", "mass": "Msun", "velocity": "km/s"}


def parse_unit(value: Any, kind: str) -> CodeUnit:
    """A unit that the caller names.

    Parameters
    ----------
    value : str or astropy Unit or Quantity
        For example "kpc/h", "1e10 Msun/h", "km/s", 2 * u.Mpc.
    kind : str
        "length", "mass" or "velocity".

    Raises
    ------
    DomainError, UnitError

    Examples
    --------
    >>> parse_unit("1e10 Msun/h", "mass")
    CodeUnit(size=10000000000.0, h_power=-1.0, source='argument mass_unit')
    """
    name, source = f"{kind}_unit", f"argument {kind}_unit"
    if not isinstance(value, str):
        return CodeUnit(_astropy_size(value, kind, name), 0.0, source)
    text, h_power = (value[:-2], -1.0) if value.replace(" ", "").endswith("/h") else (value, 0.0)
    number, _, unit = text.rstrip("/ ").rpartition(" ")
    try:
        size = float(number or 1.0) * _NAMED[kind][unit]
    except (KeyError, ValueError):
        known = ", ".join(_NAMED[kind])
        raise DomainError(
            f"`{name}` must be a number and one of {known}, with /h where it applies, got {value!r}"
        ) from None
    if not (size > 0 and math.isfinite(size)):
        raise DomainError(f"`{name}` must be above 0, got {value!r}")
    return CodeUnit(size, h_power, source)


def _astropy_size(value: Any, kind: str, name: str) -> float:
    from astropy import units as u

    try:
        size = float((1 * value).to_value(_INTERNAL_NAMES[kind]))  # a Unit or a Quantity
    except (u.UnitConversionError, AttributeError, TypeError) as exc:
        raise UnitError(f"`{name}` must be a unit of {kind}, got {value!r}") from exc
    if not (size > 0 and math.isfinite(size)):
        raise DomainError(f"`{name}` must be above 0, got {value!r}")
    return size
