"""The folder of an explanation: figures, the numbers beside them, and what a report page shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.map_sample import MapSample
from ..interpretation.maps import METHODS, MapExplanation
from ..interpretation.stacks import Row, cluster_rows, correlation_rows, profile_rows, region_rows
from . import explain_figures as draw
from .canvas import save
from .folder import write_json
from .tables import write_csv


@dataclass(frozen=True)
class Written:
    """What `write_explanation` left in a folder."""

    figures: list[tuple[Path, str]]  #: files, with a caption each
    sentences: list[str]  #: what the numbers say
    completeness_error: float  #: largest error of the sums of integrated gradients [dex]


def write_explanation(
    folder: Path, found: MapExplanation, sample: MapSample | None = None, record: dict[str, Any] | None = None
) -> Written:
    """Write figures (PNG) and tables (CSV) of an explanation; with the sample, correlations of core and ring too.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    found : MapExplanation
        What to draw.
    sample : MapSample, optional
        All maps that clusters were chosen from.
    record : dict, optional
        Provenance, for `explanation.json`.

    Returns
    -------
    Written
        As `explanation.json` says too.

    Raises
    ------
    MissingDependencyError
        Without matplotlib.
    """
    folder.mkdir(parents=True, exist_ok=True)
    profiles, regions = profile_rows(found), region_rows(found)
    tables: dict[str, list[Row]] = {"clusters": cluster_rows(found), "profiles": profiles, "regions": regions}
    if sample is not None and (rows := correlation_rows(sample)):
        tables["correlations"] = rows
    for name, rows in tables.items():
        write_csv(folder / f"{name}.csv", rows)
    made = []
    for c, channel in enumerate(found.channels):
        made.append((folder / f"examples_{channel}.png", draw.draw_examples(found, c), _examples(found, channel)))
        made.append((folder / f"stacks_{channel}.png", draw.draw_stacks(found, c), _stacks(found, channel)))
    made.append((folder / "profiles.png", draw.draw_profiles(found, profiles), _profiles(found)))
    for path, figure, _ in made:
        save(figure, path)
    said = Written(
        [(path, caption) for path, _, caption in made],
        sentences(found, regions, tables.get("correlations", [])),
        float(np.abs(found.completeness_error).max()),
    )
    summary = {
        "estimator": found.estimator,
        "mass_definition": found.mass_definition,
        "channels": list(found.channels),
        "settings": found.settings,
        "units": METHODS,
        "completeness_error_dex": said.completeness_error,
        "sentences": said.sentences,
        "figures": [{"file": path.name, "caption": caption} for path, caption in said.figures],
        "tables": [f"{name}.csv" for name in tables],
        "record": record or {},
    }
    write_json(folder / "explanation.json", summary)
    return said


def sentences(found: MapExplanation, regions: list[Row], correlations: list[Row]) -> list[str]:
    """What the numbers say, in words: where the estimate comes from, and what core and ring are worth."""
    lost, said = found.settings.get("n_without_estimate", 0), []
    if lost:
        said.append(f"{lost:,} of {found.settings['n_sample']:,} maps are left out: the model has no estimate of them.")
    for channel in found.channels:
        own = [r for r in regions if (r["method"], r["channel"]) == ("integrated", channel) and r["n"]]
        if not own:
            said.append(f"{channel}: the estimate does not depend on it.")
            continue
        core, area = _weighted([r for r in own if r["region"] == "core"])
        ring, ring_area = _weighted([r for r in own if r["region"] == "ring"])
        text, words = f"{channel}: ", "% of the absolute integrated gradients lie inside"
        if area > 0:
            text += (
                f"{100 * core:.0f} {words} 0.15 R200c ({100 * area:.0f} % of the pixels) and {100 * ring:.0f} % "
                f"between there and R200c ({100 * ring_area:.0f} %)."
            )
        else:  # wide pixels, or far clusters
            text += f"{100 * ring:.0f} {words} R200c ({100 * ring_area:.0f} % of the pixels; none inside 0.15 R200c)."
        said.append(text)
    for k, name in ((0, "lightest"), (found.edges.size - 2, "heaviest")):
        here = found.bin == k
        if here.any():
            hidden = found.maps["occlusion"][here, 0]
            middle = hidden[:, hidden.shape[1] // 2, hidden.shape[2] // 2].mean()
            said.append(
                f"A mask on the centre changes the mass of the {name} clusters by {middle:+.0f} % on the average."
            )
    for channel in found.channels:
        by = {r["region"]: r for r in correlations if r["channel"] == channel}
        if by:
            core, ring = by["core"]["published"], by["ring"]["published"]
            values = [by[region]["correlation"] for region in ("core", "ring")]
            text = (
                f"{channel}: the sum of the pixels inside 0.15 R200c correlates with the true mass by "
                f"{values[0]:.2f}, that of the ring from there to R200c by {values[1]:.2f}"
            )
            if np.isnan(values[0]):
                text = f"{channel}: the sum of the pixels inside R200c correlates with the true mass by {values[1]:.2f}"
            end = "" if np.isnan(core) else f" (published: {core:.2f} and {ring:.2f})"
            said.append(f"{text}{end}.")
    return said


def _weighted(rows: list[Row]) -> tuple[float, float]:
    """Mean share, and mean share of the pixels, over clusters."""
    mean = np.average([[r["share"], r["share_of_pixels"]] for r in rows], axis=0, weights=[r["n"] for r in rows])
    return float(mean[0]), float(mean[1])


def _examples(found: MapExplanation, channel: str) -> str:
    steps, sigma = found.settings["iterations"], found.settings["sigma"]
    return (
        f"{found.estimator} on single clusters, {channel}: image; change of log mass with each pixel (saliency); "
        f"change of the image after {steps} steps of Deep Dream (Yan et al. 2020, eq. 12); what each pixel adds to "
        "log mass on the way from an empty image (integrated gradients); change of the mass when a Gaussian mask of "
        f"{sigma:g} pixels hides the surroundings of a pixel (eq. 13; blue: the mass falls). Circles: 0.15 R200c "
        "(solid) and R200c (dashed, where it lies on the map). Each panel has its own range of colours."
    )


def _stacks(found: MapExplanation, channel: str) -> str:
    return (
        f"{found.estimator}, {channel}: the same, means of the clusters of each mass bin, each map scaled to its R200c "
        "(circles as above). Grey: less than half of the maps reach there."
    )


def _profiles(found: MapExplanation) -> str:
    return (
        f"{found.estimator}: means in rings around the centre, by bin of log10 {found.mass_definition} [Msun]; errors "
        "of the mean over clusters. profiles.csv has the numbers, regions.csv the shares of core, ring and outside."
    )
