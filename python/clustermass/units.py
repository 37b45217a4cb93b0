"""The unit convention, in one place.

Inside the package every array is in these units; readers convert when they read, and the public functions convert
astropy quantities when they are called.

==================  =========================================
length              comoving Mpc (no h)
velocity            km/s (proper, peculiar)
mass                Msun (no h)
angle               radians
specific energy     (km/s)^2
density             Msun / (comoving Mpc)^3
luminosity          erg/s
Compton Upsilon     Mpc^2 (proper); divided by an area it is y
==================  =========================================
"""

from __future__ import annotations

from typing import Any

from .errors import UnitError

LENGTH = "Mpc"
VELOCITY = "km/s"
MASS = "Msun"
ANGLE = "rad"

MPC_CM = 3.0856775814913673e24  #: cm in one Mpc (IAU 2015 au, exact parsec)
MSUN_G = 1.988409870698051e33  #: g in one solar mass (IAU 2015 GM_sun over CODATA 2018 G)
KM_S_CM_S = 1.0e5  #: cm/s in one km/s
SPEED_OF_LIGHT = 299_792.458  #: km/s (exact)
ARCMIN_RAD = 2.908882086657216e-4  #: radians in one arcminute


def strip_unit(value: Any, unit: str, name: str) -> Any:
    """Return `value` as plain numbers in `unit`; anything without a unit is taken to be in `unit` already.

    Parameters
    ----------
    value : array_like or astropy Quantity
        What to convert.
    unit : str
        Target unit as astropy spells it, e.g. ``"Mpc"``; ``""`` for dimensionless.
    name : str
        Argument name for the error message.

    Raises
    ------
    UnitError
        If `value` carries a unit of another dimension.

    Examples
    --------
    >>> import astropy.units as u
    >>> float(strip_unit(2.0 * u.kpc, "Mpc", "depth"))
    0.002
    >>> strip_unit(2.0, "Mpc", "depth")
    2.0
    """
    if not hasattr(value, "unit") or not hasattr(value, "to_value"):
        return value
    from astropy.units import UnitConversionError

    try:
        return value.to_value(unit)
    except UnitConversionError as exc:
        raise UnitError(f"`{name}` must be convertible to {unit or 'a pure number'}, got unit {value.unit}") from exc
