"""Attributions of many clusters put together: stacks in units of R200c, profiles, shares of regions."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.map_sample import MapSample
from .maps import CORE, EDGE, METHODS, MapExplanation, masses_of, radius_pixels

FloatArray = NDArray[np.float64]
PIXELS = 61  #: of a stack along each side, odd so that one is at the centre
REACH = 1.5  #: of a stack, in R200c from the centre to a side
PROFILE_EDGES = np.array([0.0, 0.075, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0])  #: R200c
#: name -> (from, to) in R200c
REGIONS = {"core": (0.0, CORE), "ring": (CORE, EDGE), "outside": (EDGE, np.inf)}
#: correlation of the true mass with the flux of core and ring in X-rays, Yan et al. 2020, section 4.2
PUBLISHED_CORRELATIONS = {"xray_soft": (0.58, 0.94), "xray_bolometric": (0.58, 0.94)}
Row = dict[str, Any]


def stack(values: NDArray[Any], radius: FloatArray, *, reach: float = REACH, pixels: int = PIXELS) -> FloatArray:
    """Mean of images, each scaled to its R200c, by linear interpolation between pixels.

    Parameters
    ----------
    values : ndarray
        Images, shape (n, row, column).
    radius : ndarray
        R200c in pixels, shape (n,).
    reach : float
        Half the side of the stack in R200c.
    pixels : int
        Along its side.

    Returns
    -------
    (pixels, pixels) float64
        NaN where less than half of the images reach.

    Examples
    --------
    >>> image = np.hypot(*(np.indices((41, 41)) - 20.0))  # distance from the centre in pixels
    >>> found = stack(np.stack([image, image]), np.array([10.0, 20.0]), reach=1.0, pixels=3)
    >>> found[1].round(6).tolist()
    [15.0, 0.0, 15.0]
    """
    n, rows, columns = values.shape
    place = np.linspace(-reach, reach, pixels)
    total, covered = np.zeros((pixels, pixels)), np.zeros((pixels, pixels))
    for image, scale in zip(np.asarray(values, np.float64), radius, strict=True):
        down, down_inside = _between(place * scale + 0.5 * (rows - 1), rows)
        across, across_inside = _between(place * scale + 0.5 * (columns - 1), columns)
        inside = down_inside[:, None] & across_inside
        total += np.where(inside, down @ image @ across.T, 0.0)
        covered += inside
    return np.where(covered >= 0.5 * max(n, 1), total / np.maximum(covered, 1.0), np.nan)


def _between(at: FloatArray, size: int) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Weights (points, size) of linear interpolation, and whether a point lies on the image (to half a pixel)."""
    inside = (at >= -0.5) & (at <= size - 0.5)
    held = np.clip(at, 0.0, size - 1.0)
    low = np.minimum(held.astype(np.int64), max(size - 2, 0))
    share = held - low
    weights = np.zeros((at.size, size))
    weights[np.arange(at.size), low] = 1.0 - share
    weights[np.arange(at.size), np.minimum(low + 1, size - 1)] += share
    return weights, inside


def distances(found: MapExplanation) -> FloatArray:
    """Distance of each pixel from the centre in R200c: (n, row, column)."""
    rows, columns = found.images.shape[2:]
    row, column = np.indices((rows, columns), dtype=np.float64)
    away = np.hypot(row - 0.5 * (rows - 1), column - 0.5 * (columns - 1))
    return np.asarray(away / found.radius[:, None, None])


def profile_rows(found: MapExplanation) -> list[Row]:
    """Mean of each method in rings around the centre, by mass bin and channel; errors of the mean over clusters."""
    away, rows = distances(found), []
    for name, unit in METHODS.items():
        for c, channel in enumerate(found.channels):
            rings = np.stack([
                _mean_where(found.maps[name][:, c], (away >= low) & (away < high))
                for low, high in pairwise(PROFILE_EDGES)
            ])  # fmt: skip
            for k in range(found.edges.size - 1):
                of_bin = rings[:, found.bin == k]
                for j, values in enumerate(of_bin):
                    known = values[np.isfinite(values)]
                    rows.append(_bin(found, k) | {
                        "method": name, "channel": channel, "unit": unit, "r_low": PROFILE_EDGES[j],
                        "r_high": PROFILE_EDGES[j + 1], "n": known.size,
                        "mean": known.mean() if known.size else np.nan,
                        "error": known.std(ddof=1) / np.sqrt(known.size) if known.size > 1 else np.nan,
                    })  # fmt: skip
    return rows


def _mean_where(values: NDArray[Any], mask: NDArray[np.bool_]) -> FloatArray:
    """Mean of each image over its mask; NaN where that is empty."""
    count = mask.sum(axis=(1, 2))
    total = np.where(mask, values, 0.0).sum(axis=(1, 2), dtype=np.float64)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def region_rows(found: MapExplanation) -> list[Row]:
    """Share of core, ring and outside in the sum of absolute attributions, and in the pixels, by bin and channel."""
    away, rows = distances(found), []
    for name in METHODS:
        for c, channel in enumerate(found.channels):
            size = np.abs(found.maps[name][:, c].astype(np.float64))
            whole = size.sum(axis=(1, 2))
            for k in range(found.edges.size - 1):
                here = (found.bin == k) & (whole > 0)
                for region, (low, high) in REGIONS.items():
                    mask = (away >= low) & (away < high)
                    share = np.where(mask, size, 0.0).sum(axis=(1, 2))[here] / whole[here]
                    area = mask.mean(axis=(1, 2))[here]
                    rows.append(_bin(found, k) | {
                        "method": name, "channel": channel, "region": region, "n": int(here.sum()),
                        "share": share.mean() if share.size else np.nan,
                        "share_of_pixels": area.mean() if area.size else np.nan,
                    })  # fmt: skip
    return rows


def cluster_rows(found: MapExplanation) -> list[Row]:
    """One row a cluster: masses, what the integrated gradients add up to, the strongest and the central mask."""
    hidden = found.maps["occlusion"][:, 0]
    middle = hidden[:, hidden.shape[1] // 2, hidden.shape[2] // 2]
    total = found.maps["integrated"].sum(axis=(1, 2, 3), dtype=np.float64)
    columns: Mapping[str, Any] = {
        "row": found.sample_rows, "host_id": found.host_id, "view": found.view, "redshift": found.redshift,
        f"log10_{found.mass_definition.lower()}_true": found.log10_true,
        f"log10_{found.mass_definition.lower()}_pred": found.log10_pred,
        "log10_of_empty_image": found.log10_empty, "integrated_sum_dex": total,
        "completeness_error_dex": found.completeness_error, "centre_masked_percent": middle,
        "lowest_masked_percent": hidden.min(axis=(1, 2)), "highest_masked_percent": hidden.max(axis=(1, 2)),
        "r200c_pixels": found.radius, "bin": found.bin,
        "is_example": np.isin(np.arange(len(found)), found.example).astype(np.int64),
    }  # fmt: skip
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def correlation_rows(sample: MapSample) -> list[Row]:
    """Correlation of the true M200c with the sum of pixels inside 0.15 R200c and of those from there to R200c.

    Yan et al. 2020 (section 4.2) find 0.58 and 0.94 for X-rays: what a network that ignores the core avoids. Pearson's,
    of the values and of their logarithms (of clusters with a sum above zero). A ring that leaves the image is cut.
    """
    mass = masses_of(sample, "M200c")
    known = np.flatnonzero(np.isfinite(mass))
    if known.size < 3:
        return []
    some = sample.only(known)
    rows, columns = some.images.shape[2:]
    row, column = np.indices((rows, columns), dtype=np.float64)
    away = np.hypot(row - 0.5 * (rows - 1), column - 0.5 * (columns - 1))
    scale = radius_pixels(some, mass[known], "M200c")[:, None, None]
    sums = {
        name: np.einsum("ncij,nij->nc", some.images, ((away >= low * scale) & (away < high * scale)).astype(np.float32))
        for name, (low, high) in REGIONS.items()
        if name != "outside"
    }
    found = []
    for c, channel in enumerate(some.channels):
        published = dict(zip(sums, PUBLISHED_CORRELATIONS.get(channel, (np.nan, np.nan)), strict=True))
        for name, values in sums.items():
            flux = values[:, c].astype(np.float64)
            bright = flux > 0
            found.append({
                "channel": channel, "region": name, "n": known.size,
                "correlation": _correlation(flux, 10.0 ** (mass[known] - 14.0)),
                "correlation_of_logs": _correlation(np.log10(flux[bright]), mass[known][bright]),
                "published": published[name],
            })  # fmt: skip
    return found


def _correlation(x: FloatArray, y: FloatArray) -> float:
    return float(np.corrcoef(x, y)[0, 1]) if x.size > 2 and x.std() > 0 and y.std() > 0 else np.nan


def _bin(found: MapExplanation, k: int) -> Row:
    return {"bin": k, "log10_mass_low": found.edges[k], "log10_mass_high": found.edges[k + 1]}
