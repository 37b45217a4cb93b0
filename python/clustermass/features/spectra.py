"""Isotropic power spectra of maps: analytic (beams and white noise) or tabulated from measured maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import ArrayError, DomainError
from ..ops.beam import FWHM_PER_SIGMA

FloatArray = NDArray[np.float64]

# widths of the beams of a fit, over that where the power falls to a half: where the climbs start
_SPREADS = {
    1: ((1.0,),),
    2: ((1.3, 0.7), (1.0, 0.45), (2.5, 0.9)),
    3: ((2.5, 1.0, 0.5), (1.5, 0.9, 0.4), (4.0, 1.0, 0.6)),
}
_LEAST = 1e-30  # part of the largest power at which logarithms stop


class Spectrum(Protocol):
    """What noise can be drawn from: a power at each frequency, hashable, with the variance of a pixel."""

    @property
    def variance(self) -> float: ...

    def power(self, frequency: ArrayLike) -> FloatArray: ...


@dataclass(frozen=True)
class BeamSpectrum:
    r"""White noise seen through Gaussian beams, and white noise of the pixels beside it.

    .. math:: P(f) = w^2 + \sum_j 4\pi s_j^2\, r_j^2\, e^{-4\pi^2 s_j^2 f^2}, \quad s_j = FWHM_j / 2.3548

    in units of the map squared, f in cycles per pixel, so that the mean of P over all modes is the variance of a pixel.

    Parameters
    ----------
    beams : sequence of (float, float)
        For each independent part its rms in a pixel [unit of the map] and the full width at half maximum [pixel] of
        the beam that white noise has gone through; >= 0 and > 0.
    white : float
        Rms of the white part [unit of the map], >= 0.

    Raises
    ------
    DomainError

    Examples
    --------
    >>> noise = BeamSpectrum(((3.0, 5.0),), white=4.0)
    >>> noise.variance, noise.power([0.0, 0.5]).round(2).tolist()
    (25.0, [525.89, 16.0])
    """

    beams: Sequence[tuple[float, float]]
    white: float = 0.0

    def __post_init__(self) -> None:
        beams = tuple(
            (check.number(rms, "beams[...].rms", low=0), check.number(fwhm, "beams[...].fwhm", above=0, high=10_000))
            for rms, fwhm in self.beams
        )
        object.__setattr__(self, "beams", beams)
        object.__setattr__(self, "white", check.number(self.white, "white", low=0))

    @property
    def variance(self) -> float:
        """Of a pixel [unit of the map squared]."""
        return self.white**2 + sum(rms**2 for rms, _ in self.beams)

    def power(self, frequency: ArrayLike) -> FloatArray:
        """P at `frequency` [cycles per pixel], same shape."""
        squared = np.asarray(frequency, np.float64) ** 2
        total = np.full(squared.shape, self.white**2)
        for rms, fwhm in self.beams:
            width = (fwhm / FWHM_PER_SIGMA) ** 2
            total += 4.0 * np.pi * width * rms**2 * np.exp(-4.0 * np.pi**2 * width * squared)
        return total

    def correlation(self, lag: ArrayLike) -> FloatArray:
        """Correlation of pixels at this distance [pixel]: exp(-lag^2 / 4 s^2) for each beam, 0 for the white part."""
        squared = np.asarray(lag, np.float64) ** 2
        total = np.where(squared == 0, self.white**2, 0.0)
        for rms, fwhm in self.beams:
            total += rms**2 * np.exp(-squared / (4.0 * (fwhm / FWHM_PER_SIGMA) ** 2))
        return np.asarray(total / self.variance)

    def at_pixel(self, ratio: float) -> BeamSpectrum:
        """The same noise in pixels that are `ratio` times as wide; the white part keeps its rms per pixel."""
        factor = check.number(ratio, "ratio", above=0)
        return BeamSpectrum(tuple((rms, fwhm / factor) for rms, fwhm in self.beams), self.white)


@dataclass(frozen=True)
class PowerSpectrum:
    """A power spectrum in rings of frequency.

    Parameters
    ----------
    frequency : sequence of float, length n
        Of each ring [cycles per pixel], > 0, increasing.
    value : sequence of float, length n
        Power [unit of the map squared]: its mean over all modes is the variance of a pixel. >= 0, not all 0.
    modes : sequence of float, length n, optional
        Independent modes (real numbers) that each value was averaged over; default 0, for not known.
    variance : float, optional
        Of a pixel; by default the integral of the power over all frequencies of the pixel grid.

    Raises
    ------
    ArrayError, DomainError

    Notes
    -----
    Between rings the logarithm of the power is interpolated; outside it stays what it is in the first and last ring.

    Examples
    --------
    >>> measured = PowerSpectrum([0.1, 0.3, 0.5], [4.0, 1.0, 0.25])
    >>> measured.power([0.0, 0.2, 0.6]).round(6).tolist()
    [4.0, 2.0, 0.25]
    """

    frequency: Sequence[float]
    value: Sequence[float]
    modes: Sequence[float] = ()
    variance: float = -1.0

    def __post_init__(self) -> None:
        columns: dict[str, Sequence[float]] = {"frequency": self.frequency, "value": self.value}
        columns["modes"] = self.modes if len(self.modes) else (0.0,) * len(self.frequency)
        for name, given in columns.items():
            column = check.float_array(given, name, (None,), dtype=np.float64)
            if not column.size or column.size != len(self.frequency):
                raise ArrayError(f"`{name}` must have one entry for each frequency, at least one, got {column.size}")
            if not (np.isfinite(column) & (column >= 0)).all():
                raise DomainError(f"`{name}` must be finite and not negative, got {column.min():g} to {column.max():g}")
            object.__setattr__(self, name, tuple(column.tolist()))
        steps = np.diff(self.frequency, prepend=0.0)
        if not (steps > 0).all():
            raise DomainError("`frequency` must be positive and increase from ring to ring")
        if not max(self.value) > 0:
            raise DomainError("`value` must be positive in some ring, got none: there is nothing to draw")
        if self.variance < 0:
            grid = np.fft.fftfreq(256)
            object.__setattr__(self, "variance", float(self.power(np.hypot(grid[:, None], grid)).mean()))

    def power(self, frequency: ArrayLike) -> FloatArray:
        """P at `frequency` [cycles per pixel], same shape."""
        value = np.asarray(self.value)
        logs = np.log(np.maximum(value, _LEAST * value.max()))
        return np.asarray(np.exp(np.interp(np.asarray(frequency, np.float64), self.frequency, logs)))

    @property
    def relative_error(self) -> FloatArray:
        """One sigma of each value: sqrt(2 / modes), as for the mean of squared normal numbers; infinite if unknown."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.sqrt(2.0 / np.asarray(self.modes)))


def torus_frequencies(rows: int, cols: int) -> FloatArray:
    """Frequency [cycles per pixel] of each mode of a periodic image, shape (rows, cols)."""
    return np.asarray(np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(cols)))


def fit_beam_spectrum(measured: PowerSpectrum, *, n_beams: int = 1, max_frequency: float = 0.5) -> BeamSpectrum:
    """Fit white noise through Gaussian beams, and white noise beside it, to a measured spectrum.

    The likelihood is that of Gaussian fields: each value scatters about the model by sqrt(2 / modes) of the model.
    Scores and their expected information (Fisher scoring) give the steps, in the logarithms of all parameters.

    Parameters
    ----------
    measured : PowerSpectrum
        With `modes`.
    n_beams : int
        Number of beams, from 1 to 3.
    max_frequency : float
        Rings beyond are left out [cycles per pixel]: those in the corners hold ever fewer modes.

    Returns
    -------
    BeamSpectrum
        Widest beam first.

    Raises
    ------
    DomainError
        If fewer rings are known than there are parameters, or the fit does not converge.

    Examples
    --------
    >>> truth = BeamSpectrum(((3.0, 6.0),), white=0.5)
    >>> rings = np.arange(1, 49) / 96
    >>> fit = fit_beam_spectrum(PowerSpectrum(rings, truth.power(rings), modes=rings * 600))
    >>> round(fit.beams[0][0], 4), round(fit.beams[0][1], 4), round(fit.white, 4)
    (3.0, 6.0, 0.5)
    """
    n_beams = check.integer(n_beams, "n_beams", low=1, high=3)
    f, p, modes = (np.asarray(a) for a in (measured.frequency, measured.value, measured.modes))
    used = (f <= max_frequency) & (modes > 0) & (p > 0)
    f, p, modes = f[used], p[used], modes[used]
    if f.size < 2 * n_beams + 2:
        raise DomainError(f"`measured` must have {2 * n_beams + 2} rings of known modes or more, got {f.size}")
    fits = [_climb(_start(f, p, spread), f, p, modes) for spread in _SPREADS[n_beams]]
    found = [fit for fit in fits if fit is not None]
    if not found:
        raise DomainError(f"`measured` is not described by {n_beams} beams and white noise: the fit did not converge")
    best = _spectrum_of(min(found, key=lambda theta: _distance(theta, f, p, modes)))
    return BeamSpectrum(tuple(sorted(best.beams, key=lambda beam: -beam[1])), best.white)


def _distance(theta: FloatArray, f: FloatArray, p: FloatArray, modes: FloatArray) -> float:
    """Minus the logarithm of the likelihood."""
    model = _spectrum_of(theta).power(f)
    return float(0.5 * (modes * (p / model + np.log(model))).sum())


def _climb(theta: FloatArray, f: FloatArray, p: FloatArray, modes: FloatArray) -> FloatArray | None:
    """The parameters of greatest likelihood near `theta`; None if the steps do not end."""
    best = _distance(theta, f, p, modes)
    for _ in range(300):
        model, slope = _spectrum_of(theta).power(f), _slopes(theta, f)
        score = slope.T @ (0.5 * modes * (p / model - 1.0))
        information = slope.T @ (0.5 * modes[:, None] * slope)
        information += 1e-9 * np.trace(information) * np.eye(theta.size)
        step = np.clip(np.linalg.solve(information, score), -0.5, 0.5)
        while _distance(theta + step, f, p, modes) > best and np.abs(step).max() > 1e-7:
            step *= 0.5
        theta = theta + step
        best = min(best, _distance(theta, f, p, modes))
        if np.abs(step).max() < 1e-6:
            return theta
    return None


def _start(f: FloatArray, p: FloatArray, spread: tuple[float, ...]) -> FloatArray:
    """First guess: logarithms of rms and FWHM of each beam, and of the white rms."""
    white = max(float(np.median(p[f > 0.6 * f.max()])), 1e-12 * p.max())
    half = float(f[np.argmax(p < 0.5 * p[: max(2, f.size // 20)].mean())])  # P falls to a half there
    sigma = np.sqrt(np.log(2.0)) / (2.0 * np.pi * max(half, f[0]))
    share = p[:3].mean() / len(spread)
    beams = [(np.log(np.sqrt(share / (4 * np.pi)) / (sigma * k)), np.log(FWHM_PER_SIGMA * sigma * k)) for k in spread]
    return np.array([*np.ravel(beams), 0.5 * np.log(white)])


def _spectrum_of(theta: FloatArray) -> BeamSpectrum:
    values: Any = np.exp(np.clip(theta, -100, 100))
    widths = np.clip(values[1:-1:2], 1e-3, 1e4)
    return BeamSpectrum(tuple(zip(values[:-1:2].tolist(), widths.tolist(), strict=True)), float(values[-1]))


def _slopes(theta: FloatArray, f: FloatArray) -> FloatArray:
    """Derivatives of ln P by the logarithms of the parameters, shape (ring, parameter)."""
    spectrum = _spectrum_of(theta)
    columns = []
    for rms, fwhm in spectrum.beams:
        part = BeamSpectrum(((rms, fwhm),)).power(f)
        exponent = 4.0 * np.pi**2 * (fwhm / FWHM_PER_SIGMA) ** 2 * f**2
        columns += [2.0 * part, 2.0 * part * (1.0 - exponent)]
    columns.append(np.full(f.size, 2.0 * spectrum.white**2))
    return np.asarray(np.stack(columns, axis=1) / spectrum.power(f)[:, None])
