"""What can be mapped: the channels, the weight of a particle in each, and how a weight becomes the value of a pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from .. import units
from ..constants import HYDROGEN_FRACTION, full_electron_abundance
from ..errors import DomainError, MissingFieldError
from ._gas import BLOCK, warn_dead, warn_default_electrons
from .bremsstrahlung import Band, emission
from .erosita import BAND_NAMES, ENERGY_BANDS
from .thermal_spectrum import photon_weights
from .tracers import kelvin, upsilon

FloatArray = NDArray[np.float64]

SOFT_BAND: Band = (0.5, 2.0)  #: keV


class Header(Protocol):
    """The part of a snapshot header that the weights depend on."""

    @property
    def scale_factor(self) -> float: ...

    @property
    def is_cosmological(self) -> bool: ...


@dataclass(frozen=True)
class Channel:
    """One observable that particles of one type add up to.

    Attributes
    ----------
    name, label : str
        For code and files, and for figures.
    unit : str
        Of a pixel, as astropy spells it; empty for a pure number.
    particle_type : str
        Whose particles make it.
    quantity : {"mass", "upsilon", "luminosity", "photons"}
        What the weight of a particle is: mass [Msun], Compton Upsilon [proper Mpc^2], luminosity [erg/s], counts per
        second of eROSITA times 4 pi d_L^2 [cm^2 / s].
    fields : tuple of str
        What the snapshot must hold. ``temperature`` may stand in for ``internal_energy``.
    optional_fields : tuple of str
        What is used where the snapshot has it.
    band : (float, float) or None
        Photon energies [keV]; None for all, or where it means nothing.
    noise_rms : float
        Default noise per pixel, in `unit`; 0 for none.
    beam_fwhm : float
        Default full width at half maximum of the beam [rad]; 0 for none.
    redshift : float or None
        Of the gas, for photons; None: as `channel_weights` is told.
    """

    name: str
    label: str
    unit: str
    particle_type: str
    quantity: Literal["mass", "upsilon", "luminosity", "photons"]
    fields: tuple[str, ...]
    optional_fields: tuple[str, ...] = ()
    band: Band | None = None
    noise_rms: float = 0.0
    beam_fwhm: float = 0.0
    redshift: float | None = None

    def pixel_factor(
        self, *, angular_diameter_distance: ArrayLike, luminosity_distance: ArrayLike, pixel_angle: float
    ) -> FloatArray:
        """Return what the sum of the weights in a pixel is multiplied by to become the value of the pixel.

        1 for masses; 1 / (4 pi d_L^2) for luminosities, giving erg/s/cm^2 per pixel (Yan et al. 2020, eq. 4, which
        prints d_L for d_L^2), and for photons, giving counts per second and pixel; 1 / (d_A pixel_angle)^2 for
        Upsilon, giving Compton y (their eq. 5).

        Parameters
        ----------
        angular_diameter_distance, luminosity_distance : array_like of float, shape (n_views,) or ()
            Of the cluster in each view [proper Mpc], > 0.
        pixel_angle : float
            Side of a pixel [rad], > 0.

        Returns
        -------
        ndarray of float64, shape (n_views,) or ()

        Raises
        ------
        DomainError

        Examples
        --------
        >>> y = CHANNELS["compton_y"]
        >>> float(y.pixel_factor(angular_diameter_distance=250.0, luminosity_distance=280.0, pixel_angle=0.001))
        16.0
        """
        near = np.asarray(units.strip_unit(angular_diameter_distance, "Mpc", "angular_diameter_distance"), np.float64)
        far = np.asarray(units.strip_unit(luminosity_distance, "Mpc", "luminosity_distance"), np.float64)
        angle = check.number(pixel_angle, "pixel_angle", above=0, unit="rad")
        for name, distance in (("angular_diameter_distance", near), ("luminosity_distance", far)):
            if not (np.isfinite(distance) & (distance > 0)).all():
                raise DomainError(f"`{name}` must be finite and > 0 (a redshift > 0), got {distance.min():g} Mpc")
        if self.quantity in ("luminosity", "photons"):
            return np.asarray(1.0 / (4.0 * np.pi * (far * units.MPC_CM) ** 2))
        return np.asarray((near * angle) ** -2.0 if self.quantity == "upsilon" else np.ones_like(near))


_GAS_STATE = ("internal_energy", "masses")
_GAS_EXTRA = ("electron_abundance", "star_formation_rate")
_ARCSEC = units.ARCMIN_RAD / 60.0
_FLUX = "erg / (s cm2)"
_FIELD_UNITS = {"masses": "Msun", "density": "Msun / Mpc3", "internal_energy": "km2 / s2", "temperature": "K"}

#: name -> channel; noise and beams from Yan et al. 2020, table 1 (Chandra-like X-ray, ACT-like Compton y). The noise of
#: the stars is a tenth of the mean mass per pixel of their sample
CHANNELS: Mapping[str, Channel] = MappingProxyType(
    {
        channel.name: channel
        for channel in (
            Channel("stars", "Stellar mass", "solMass", "stars", "mass", ("masses",), ("formation_scale_factor",),
                    noise_rms=2.14e11),
            Channel("xray_soft", "Soft X-ray flux, 0.5-2 keV", _FLUX, "gas", "luminosity", (*_GAS_STATE, "density"),
                    _GAS_EXTRA, band=SOFT_BAND, noise_rms=9e-16, beam_fwhm=4.0 * _ARCSEC),
            Channel("xray_bolometric", "Bolometric X-ray flux", _FLUX, "gas", "luminosity", (*_GAS_STATE, "density"),
                    _GAS_EXTRA, noise_rms=9e-16, beam_fwhm=4.0 * _ARCSEC),
            Channel("compton_y", "Compton y", "", "gas", "upsilon", _GAS_STATE, _GAS_EXTRA,
                    noise_rms=1e-8, beam_fwhm=1.4 * units.ARCMIN_RAD),
            Channel("gas_mass", "Gas mass", "solMass", "gas", "mass", ("masses",)),
            Channel("dark_matter", "Dark-matter mass", "solMass", "dark_matter", "mass", ("masses",)),
            *(
                Channel(name, f"eROSITA counts per second, {band[0]:.3f}-{band[1]:.3f} keV", "ct / s", "gas", "photons",
                        (*_GAS_STATE, "density"), _GAS_EXTRA, band=band)
                for name, band in zip(BAND_NAMES, ENERGY_BANDS, strict=True)
            ),
        )
    }
)  # fmt: skip


def find_channels(channels: Sequence[str | Channel]) -> tuple[Channel, ...]:
    """Return the channels of these names; a Channel stands for itself.

    Raises
    ------
    DomainError
        For a name that no channel has.

    Examples
    --------
    >>> [c.particle_type for c in find_channels(["stars", "compton_y"])]
    ['stars', 'gas']
    """
    if isinstance(channels, str):
        raise DomainError(f"`channels` must be a list of names, got the single word {channels!r}")
    for name in channels:
        if not isinstance(name, Channel):
            check.choice(name, "channels", tuple(CHANNELS))
    return tuple(c if isinstance(c, Channel) else CHANNELS[c] for c in channels)


def channel_fields(channels: Sequence[str | Channel], available: Iterable[str]) -> tuple[str, ...]:
    """Return the fields to read from a snapshot for these channels of one particle type.

    Parameters
    ----------
    channels : sequence of str or Channel
        Names or channels, all of one particle type.
    available : iterable of str
        Fields that the snapshot has for this type.

    Returns
    -------
    tuple of str
        Sorted, without repeats.

    Raises
    ------
    MissingFieldError
        If a channel cannot be made; names the channel and the field.

    Examples
    --------
    >>> channel_fields(["compton_y"], ["positions", "masses", "internal_energy", "star_formation_rate"])
    ('internal_energy', 'masses', 'star_formation_rate')
    """
    has = set(available)
    wanted: set[str] = set()
    for channel in find_channels(channels):
        for field in channel.fields:
            stand_in = "temperature" if field == "internal_energy" and "temperature" in has else field
            if stand_in not in has:
                raise MissingFieldError(
                    f"channel {channel.name!r} needs the field `{field}` of {channel.particle_type} particles, "
                    f"which the snapshot lacks (it has {', '.join(sorted(has)) or 'none'})"
                )
            wanted.add(stand_in)
        wanted.update(has.intersection(channel.optional_fields))
    return tuple(sorted(wanted))


def channel_weights(
    chunk: Mapping[str, Any],
    channels: Sequence[str | Channel],
    header: Header,
    *,
    redshift: float = 0.0,
    hydrogen_fraction: float = HYDROGEN_FRACTION,
) -> FloatArray:
    """Compute the weight of every particle of one type in every channel.

    Parameters
    ----------
    chunk : mapping of str to ndarray, shape (n,) each
        Fields of n particles in the internal units, at least those of `channel_fields`.
    channels : sequence of str or Channel, length n_channels
        All of one particle type.
    header : SnapshotHeader
        Its scale factor makes densities proper; whether the run is cosmological tells what a formation time is.
    redshift : float
        X-ray bands and photons are those of an observer at this redshift from the source (K-correction); 0: bands of
        the source.
    hydrogen_fraction : float
        Mass fraction of hydrogen in the gas, in (0, 1].

    Returns
    -------
    ndarray of float64, shape (n, n_channels)
        Mass [Msun], Upsilon [proper Mpc^2], luminosity [erg/s] or photons [cm^2 / s], as `Channel.quantity` says.

    Raises
    ------
    MissingFieldError, ArrayError, DTypeError, BadInputError, DomainError

    Notes
    -----
    X-ray and Compton channels leave out star-forming gas (`star_formation_rate` > 0): its internal energy is that of
    an effective equation of state, not a temperature. Gas whose internal energy, electron abundance or (for X-ray)
    density is zero, negative, NaN or infinite has weight 0 there, and a `DataWarning` counts it. Without electron
    abundance the gas counts as fully ionised, with a `DataWarning`. Particles of type stars that were never born
    (formation scale factor <= 0: wind cells of TNG) have weight 0.

    float64 because luminosities of 1e44 erg/s do not fit in float32. Cost: O(n n_channels), about 0.1 us per particle
    and X-ray channel; memory: the result and a few arrays of 131,072.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> header = SimpleNamespace(scale_factor=1.0, is_cosmological=True)
    >>> gas = {"masses": np.array([1e9, 1e9]), "internal_energy": np.array([1e6, 1e6]),
    ...        "electron_abundance": np.array([1.16, 1.16]), "star_formation_rate": np.array([0.0, 2.0])}
    >>> channel_weights(gas, ["gas_mass", "compton_y"], header)
    array([[1.00000000e+09, 5.85791408e-10],
           [1.00000000e+09, 0.00000000e+00]])
    """
    wanted = find_channels(channels)
    types = sorted({c.particle_type for c in wanted})
    if len(types) != 1:
        raise DomainError(f"`channels` must be of one particle type, got {', '.join(types) or 'none'}")
    x_hydrogen = check.number(hydrogen_fraction, "hydrogen_fraction", above=0, high=1)
    z = check.number(redshift, "redshift", above=-1)
    data = _checked(chunk, wanted)
    n = data["masses"].size
    out = np.empty((n, len(wanted)))
    hot = [c for c in wanted if c.quantity != "mass"]
    if hot and "electron_abundance" not in data:
        warn_default_electrons(x_hydrogen, stacklevel=2)
    dead = np.zeros(2, np.int64)  # unusable temperature, unusable density
    for first in range(0, n, BLOCK):
        part = {name: np.asarray(values[first : first + BLOCK], np.float64) for name, values in data.items()}
        dead += _fill(out[first : first + BLOCK], part, wanted, header, z, x_hydrogen)
    state = "temperature or electron abundance" if "temperature" in data else "internal energy or electron abundance"
    warn_dead(int(dead[0]), n, state, "channel_weights")
    warn_dead(int(dead[1]), n, "density", "channel_weights")
    return out


def _checked(chunk: Mapping[str, Any], channels: tuple[Channel, ...]) -> dict[str, NDArray[np.floating[Any]]]:
    """The fields that the channels use, as float arrays of one length; masses finite and not negative."""
    names = channel_fields(channels, chunk.keys())
    n = len(chunk["masses"])
    data = {name: check.float_array(chunk[name], name, (n,), unit=_FIELD_UNITS.get(name)) for name in names}
    check.check_finite(data["masses"], "masses")
    check.check_not_negative(data["masses"], "masses")
    return data


def _fill(
    out: FloatArray, part: dict[str, FloatArray], channels: tuple[Channel, ...], header: Header, redshift: float,
    hydrogen_fraction: float,
) -> NDArray[np.int64]:  # fmt: skip
    """Write the weights of one block; return how many particles have an unusable temperature and density."""
    masses = part["masses"]
    dead = np.zeros(2, np.int64)
    if any(c.quantity != "mass" for c in channels):
        temperature, electrons, forming = _gas_state(part, hydrogen_fraction)
        dead[0] = np.count_nonzero(np.isnan(temperature))
        temperature = np.where(np.isnan(temperature) | forming, 0.0, temperature)
    if any(c.quantity in ("luminosity", "photons") for c in channels):
        density = part["density"]
        dense = np.isfinite(density) & (density > 0)
        dead[1] = np.count_nonzero(~dense & ~forming)
        density = np.where(dense, density, 0.0)
    for k, channel in enumerate(channels):
        if channel.quantity == "upsilon":
            out[:, k] = upsilon(masses, temperature, electrons, hydrogen_fraction)
        elif channel.quantity == "photons":
            assert channel.band is not None  # photons always have one
            out[:, k] = photon_weights(masses, density, temperature, electrons, scale_factor=header.scale_factor,
                                       band=channel.band, hydrogen_fraction=hydrogen_fraction,
                                       redshift=redshift if channel.redshift is None else channel.redshift)  # fmt: skip
        elif channel.quantity == "luminosity":
            band = channel.band and (channel.band[0] * (1 + redshift), channel.band[1] * (1 + redshift))
            out[:, k] = emission(masses, density, temperature, electrons, scale_factor=header.scale_factor, band=band,
                                 hydrogen_fraction=hydrogen_fraction, gaunt_factor=None)  # fmt: skip
        else:
            unborn = "formation_scale_factor" in part and header.is_cosmological and channel.particle_type == "stars"
            out[:, k] = np.where(part["formation_scale_factor"] <= 0, 0.0, masses) if unborn else masses
    return dead


def _gas_state(part: dict[str, FloatArray], x_hydrogen: float) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Temperature (NaN where unusable, outside star-forming gas), electron abundance, and what is forming stars."""
    n = part["masses"].shape
    electrons = part.get("electron_abundance", np.broadcast_to(full_electron_abundance(x_hydrogen), n))
    rate = part.get("star_formation_rate", np.broadcast_to(0.0, n))
    forming = rate > 0
    energy = part.get("temperature", part.get("internal_energy", np.empty(0)))
    good = np.isfinite(energy) & (energy > 0) & np.isfinite(electrons) & (electrons >= 0) & ~np.isnan(rate)
    electrons = np.where(good, electrons, 0.0)
    energy = np.where(good, energy, 0.0)
    temperature = energy if "temperature" in part else kelvin(energy, electrons, x_hydrogen)
    return np.where(good | forming, temperature, np.nan), electrons, forming
