"""What correlated noise means: waves of a torus around the image, each with two normal numbers, added up."""

from __future__ import annotations

import math

import numpy as np

from .noise import exact_normals


def torus_side(pixels):
    """Even, a quarter wider than the image or a little more, of the factors 2, 3 and 5 alone."""
    side = 2 * math.ceil(0.625 * pixels)
    while math.gcd(side, 30**20) != side:
        side += 2
    return side


def wave_variances(power, variance, high, wide):
    """Variance that each wave of the torus adds to a pixel, (high, wide); they sum up to `variance`."""
    share = power(np.hypot(np.fft.fftfreq(high)[:, None], np.fft.fftfreq(wide)[None, :]))
    return variance * share / share.sum()


def correlated_noise(power, variance, shape, *, item, seed, rows):
    """Some rows of the noise of one image.

    Waves with (row, column) frequency and the opposite one are the same wave: of those with a column frequency that is
    neither 0 nor the highest, half are there with the variance of both; of the others, all with their own.
    """
    high, wide = torus_side(shape[0]), torus_side(shape[1])
    n = wide // 2 + 1
    normals = exact_normals(2 * high * n, seed, item).reshape(high, n, 2)
    variances = wave_variances(power, variance, high, wide)[:, :n]
    variances[:, 1:-1] *= 2
    cosine, sine = np.sqrt(variances)[..., None].transpose(2, 0, 1) * normals.transpose(2, 0, 1)
    y, x = np.arange(shape[0])[rows], np.arange(shape[1])
    down = 2j * np.pi * y[:, None] * np.arange(high) / high
    along = 2j * np.pi * np.arange(n)[:, None] * x / wide
    return (np.exp(down) @ (cosine + 1j * sine) @ np.exp(along)).real


def covariance(power, variance, shape):
    """Of every pixel with every other, (rows, cols, rows, cols)."""
    high, wide = torus_side(shape[0]), torus_side(shape[1])
    by_lag = np.fft.fft2(wave_variances(power, variance, high, wide)).real
    lags = [np.subtract.outer(np.arange(n), np.arange(n)) for n in shape]
    return by_lag[lags[0][:, None, :, None] % high, lags[1][None, :, None, :] % wide]
