"""Tables of an evaluation, as lists of flat rows, and their CSV files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.atomic import atomic_path
from ..errors import FileFormatError
from ..evaluation.predictions import QUOTED
from ..evaluation.published import PUBLISHED
from ..evaluation.residuals import ResidualSummary, summarise_in_bins, summarise_residuals
from ..evaluation.robustness import SubsampleSummary, subsample_curve, summarise_subsampling
from ..models.posterior import FLAGS
from ..models.registry import ESTIMATORS, estimator_class
from .folder import Evaluated

Row = dict[str, Any]
#: of dynamical.csv, in this order
DYNAMICAL = (
    "estimator", "inputs", "n_clusters", "bias_dex", "p16_dex", "p84_dex", "sigma_dex", "skewness", "kurtosis",
    "count_bias_percent", "subsample_bias_dex", "subsample_width_dex", "published_sigma_dex",
)  # fmt: skip
#: printed on every table
CONVENTION = (
    "epsilon = log10(M_pred / M_true) in dex, above 0 where the estimate is too large; 14 < log10 M200c [Msun/h] < 15; "
    "p16 and p84 are the percentiles themselves; count bias for alpha = 2; sub-sampling over 0.6 <= r <= 0.8, of "
    "single draws"
)
MASS_EDGES = np.arange(QUOTED[0], QUOTED[1] + 0.05, 0.1)  #: log10 M200c [Msun/h]
RATE_EDGES = np.linspace(0.0, 1.0, 11)  #: of the sub-sampling curve
_DIGITS = 6  # significant, in files


@dataclass(frozen=True)
class Summary:
    """The numbers of one estimator that several tables share."""

    item: Evaluated
    residuals: ResidualSummary
    subsampling: SubsampleSummary

    @property
    def name(self) -> str:
        return self.item.predictions.name


def summarise(items: Sequence[Evaluated], *, n_bootstrap: int = 1000, seed: int = 0) -> list[Summary]:
    """Residuals of the quoted range with errors by host, and sub-sampling over 0.6 <= r <= 0.8, of each estimator."""
    found = []
    for item in items:
        table = item.predictions.only(item.predictions.is_quoted)
        residuals = summarise_residuals(table.epsilon, n_bootstrap=n_bootstrap, seed=seed, groups=table.host_id)
        found.append(Summary(item, residuals, summarise_subsampling(item.subsamples)))
    return found


def inputs_of(estimator: str) -> str:
    """What an estimator reads, for people."""
    if estimator not in ESTIMATORS:
        return ""
    return " + ".join(word.replace("_", " ") for word in estimator_class(estimator)[0].inputs)


def dynamical_rows(summaries: Sequence[Summary]) -> list[Row]:
    """The rows of dynamical.csv: measured statistics of each estimator, and the published scatter."""
    rows = []
    for one in summaries:
        table, residuals = one.item.predictions, one.residuals
        published = PUBLISHED.get((table.estimator, table.kind))
        values = (
            one.name, table.record.get("estimator_inputs") or inputs_of(table.estimator), residuals.n,
            residuals.median, residuals.p16, residuals.p84, residuals.sigma, residuals.skewness, residuals.kurtosis,
            100 * residuals.count_bias, one.subsampling.median, one.subsampling.width,
            published.sigma_dex if published else math.nan,
        )  # fmt: skip
        rows.append(dict(zip(DYNAMICAL, values, strict=True)))
    return rows


def order_rows(rows: Sequence[Row], column: str, published: str) -> list[Row]:
    """Estimators from small to large `column`, beside their places by the published values among those that have one.

    Rows without a number in `column` are left out.
    """
    measured = sorted((r for r in rows if np.isfinite(r[column])), key=lambda r: float(r[column]))
    known = sorted((r for r in measured if np.isfinite(r[published])), key=lambda r: float(r[published]))
    among = [r["estimator"] for r in measured if np.isfinite(r[published])]
    place = {r["estimator"]: k + 1 for k, r in enumerate(known)}
    return [
        {"estimator": r["estimator"], "place": k + 1, column: r[column],
         "place_among_published": among.index(r["estimator"]) + 1 if r["estimator"] in place else math.nan,
         "published_place": place.get(r["estimator"], math.nan), published: r[published]}
        for k, r in enumerate(measured)
    ]  # fmt: skip


def error_rows(summaries: Sequence[Summary]) -> list[Row]:
    """Statistics with bootstrap errors by host, what is missing and what is flagged, of each estimator."""
    rows = []
    for one in summaries:
        table = one.item.predictions
        quoted = table.is_wanted
        flagged = {f"n_{name}": int(((table.flags[quoted] & bit) != 0).sum()) for name, bit in FLAGS.items()}
        lost = {"n_without_estimate": int(np.isnan(table.log10_mass[quoted]).sum())}
        mean = {
            "subsample_mean_bias_dex": one.subsampling.mean_median,
            "subsample_mean_width_dex": one.subsampling.mean_width,
            "n_subsampled": one.subsampling.n,
        }
        rows.append({"estimator": one.name} | one.residuals.as_dict() | mean | lost | flagged)
    return rows


def bin_rows(items: Sequence[Evaluated], *, n_bootstrap: int = 200, seed: int = 0) -> list[Row]:
    """Residuals in bins of true mass [log10 M200c, Msun/h], richness, redshift and purity, of each estimator."""
    rows = []
    for item in items:
        table = item.predictions.only(item.predictions.is_quoted)
        by = {
            "log10_m200c_msun_h": (table.log10_m200c_h, MASS_EDGES),
            "richness": (table.richness.astype(np.float64), _quantile_edges(table.richness)),
            "redshift": (table.redshift, _quantile_edges(table.redshift)),
            "purity": (np.nan_to_num(table.purity), _quantile_edges(table.purity)),
        }
        for name, (values, edges) in by.items():
            if edges is None:
                continue
            for one in summarise_in_bins(
                table.epsilon, values, edges, table.host_id, n_bootstrap=n_bootstrap, seed=seed
            ):
                rows.append({"estimator": table.name, "binned_by": name} | one.as_dict())
    return rows


def _quantile_edges(values: Any) -> Any:
    """Five bins of about equal numbers; None where all values are the same."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, 6))) if known.size else np.empty(0)
    return edges if edges.size > 1 else None


def curve_rows(items: Sequence[Evaluated]) -> list[Row]:
    """log10(M^(r) / M^(1)) in bins of the sampling rate, of each estimator."""
    return [
        {"estimator": item.predictions.name} | row
        for item in items
        for row in _records(subsample_curve(item.subsamples, RATE_EDGES))
    ]


def velocity_rows(items: Sequence[Evaluated]) -> list[Row]:
    """How masses move, and how they scatter about the truth, with errors on velocities, of each estimator."""
    return [
        {"estimator": item.predictions.name} | row for item in items for row in _records(item.velocity_errors.curve())
    ]


def _records(columns: Mapping[str, Any]) -> list[Row]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def published_rows() -> list[Row]:
    """Tables 1 and 2 of Ho et al. 2019."""
    return [row.as_dict() | {"estimator": row.name} for row in PUBLISHED.values()]


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> None:
    """Rows as a CSV file with one header line, whole or not at all; NaN is an empty field.

    Without `columns`: those of all rows, in the order of their first appearance.
    """
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([field_of(row.get(name)) for name in names])
    with atomic_path(path) as part:
        part.write_text(text.getvalue(), encoding="utf-8")


def field_of(value: Any) -> str:
    """A value as a field of a CSV file."""
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else f"{float(value):.{_DIGITS}g}"
    return "" if value is None else str(value)


def read_csv(path: Path) -> list[Row]:
    """What `write_csv` wrote: numbers as int or float, empty fields as NaN.

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If a line has not as many fields as the header.
    """
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    if not lines:
        raise FileFormatError(f"{path}: has no header line")
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(lines[0]):
            raise FileFormatError(f"{path}: line {number} has {len(line)} fields, the header {len(lines[0])}")
    return [{name: _value(word) for name, word in zip(lines[0], line, strict=True)} for line in lines[1:]]


def _value(word: str) -> Any:
    if word == "":
        return math.nan
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
