"""One HTML page with everything: tables, figures, explanations, and how to make it again. It loads nothing."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.atomic import atomic_path
from ..evaluation.predictions import QUOTED
from ..evaluation.published import PUBLISHED, SOURCE
from .notes import GENERAL, to_html
from .tables import DYNAMICAL, Summary

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 75rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { margin-top: 2.4rem; border-bottom: 1px solid #d0d7de; }
h3 { margin-bottom: .3rem; } .convention { background: #eef4fa; border-left: 4px solid #0072B2; padding: .6rem 1rem; }
table { border-collapse: collapse; font-size: 13px; margin: .8rem 0; } .wide { overflow-x: auto; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #e3e7eb; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #57606a; vertical-align: bottom; }
tr.published td { color: #9a4a00; background: #fdf6ef; }
figure { margin: 1.2rem 0; } img { max-width: 100%; height: auto; }
figcaption { font-size: 13px; color: #57606a; max-width: 60rem; } .missing { color: #9a6700; }
code, pre { font-family: ui-monospace, monospace; font-size: 13px; background: #f6f8fa; }
pre { padding: .7rem; overflow-x: auto; } details { margin: .6rem 0; } summary { cursor: pointer; }
"""
_HEADS = {
    "estimator": "estimator", "inputs": "inputs", "n_clusters": "clusters", "bias_dex": "bias (median)",
    "p16_dex": "16 %", "p84_dex": "84 %", "sigma_dex": "scatter", "skewness": "skewness", "kurtosis": "excess kurtosis",
    "count_bias_percent": "count bias [%]", "subsample_bias_dex": "sub-sampling bias",
    "subsample_width_dex": "sub-sampling width",
}  # fmt: skip
_THREE = {"bias_dex", "p16_dex", "p84_dex", "sigma_dex", "subsample_bias_dex", "subsample_width_dex"}
#: column of dynamical.csv -> statistic of `ResidualSummary` that has its error
_ERRORS = {"bias_dex": "median", "p16_dex": "p16", "p84_dex": "p84", "sigma_dex": "sigma", "skewness": "skewness",
           "kurtosis": "kurtosis", "count_bias_percent": "count_bias"}  # fmt: skip


def write_page(
    path: Path,
    sections: Sequence[str],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    notes: Mapping[str, str],
    record: Mapping[str, Any],
) -> None:
    """Write the page, whole or not at all.

    Parameters
    ----------
    path : Path
        Replaced.
    sections : sequence of str
        HTML: `galaxy_section`, `map_section`, `looked_at_section`.
    tables, notes, record
        All tables by name; what people wrote; how everything came to be.
    """
    parts = [
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>Cluster masses: evaluation</title>",
        f"<meta name='viewport' content='width=device-width'><style>{_STYLE}</style></head><body>",
        "<h1>Estimators of cluster mass, evaluated</h1>",
        to_html(notes.get(GENERAL, "")),
        *sections,
        "<h2>All tables</h2>",
        *(_details(name, rows) for name, rows in tables.items()),
        "<h2>How to make this again</h2>",
        _recipe(record),
        "</body></html>\n",
    ]
    with atomic_path(path) as part:
        part.write_text("\n".join(parts), encoding="utf-8")


def galaxy_section(
    summaries: Sequence[Summary],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    figures: Sequence[tuple[Path, str]],
    notes: Mapping[str, str],
) -> str:
    """Masses from galaxies: measured beside published, what explains the differences, figures."""
    dynamical = tables["dynamical"]
    parts = [
        "<h2>Masses from galaxies</h2>",
        _convention(summaries),
        "<h3>Measured beside published</h3>",
        _comparison(summaries, dynamical),
        order_table(tables["order"], "sigma_dex", "scatter [dex]", 3),
        _explanations(summaries, dynamical, notes),
        "<h3>Figures</h3>",
        *(figure(image, caption) for image, caption in figures),
    ]
    return "\n".join(parts)


def _convention(summaries: Sequence[Summary]) -> str:
    definitions = sorted({one.item.predictions.mass_definition for one in summaries})
    return (
        "<p class='convention'><strong>&epsilon; = log<sub>10</sub>(M_pred / M_true)</strong>, in dex: above 0 where "
        f"the estimate is too large. Masses are {' and '.join(definitions)}; bins and limits are of the true M200c in "
        f"Msun/h. Statistics are of {QUOTED[0]:g} &lt; log<sub>10</sub> M200c [Msun/h] &lt; {QUOTED[1]:g}, each "
        "observation predicted by a model that never saw its host. Errors are of a bootstrap by host.</p>"
    )


def _comparison(summaries: Sequence[Summary], dynamical: Sequence[Mapping[str, Any]]) -> str:
    """Rows of dynamical.csv with errors, each with the published row below it."""
    names = [name for name in DYNAMICAL if name in _HEADS]
    head = "".join(f"<th>{_HEADS[name]}</th>" for name in names)
    lines = []
    for one, row in zip(summaries, dynamical, strict=True):
        errors = one.residuals.errors
        cells = []
        for name in names:
            text = cell(row[name], 3 if name in _THREE else 2)
            error = errors.get(_ERRORS.get(name, ""), math.nan) * (100 if name == "count_bias_percent" else 1)
            cells.append(text if math.isnan(error) else f"{text} &plusmn; {cell(error, 3 if name in _THREE else 2)}")
        lines.append("<tr>" + "".join(f"<td>{text}</td>" for text in cells) + "</tr>")
        published = PUBLISHED.get((one.item.predictions.estimator, one.item.predictions.kind))
        if published:
            values = published.as_dict() | {"estimator": "published", "inputs": "", "n_clusters": ""}
            cells = [cell(values[name], 3 if name in _THREE else 2) for name in names]
            lines.append("<tr class='published'>" + "".join(f"<td>{text}</td>" for text in cells) + "</tr>")
    return (
        f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
        f"<p>Bias, percentiles, scatter and widths in dex. Published: {html.escape(SOURCE)}. 16 and 84 % are the "
        "percentiles themselves. The sub-sampling columns are of single sub-samples with 0.6 &le; r &le; 0.8.</p>"
    )


def _explanations(
    summaries: Sequence[Summary], dynamical: Sequence[Mapping[str, Any]], notes: Mapping[str, str]
) -> str:
    """What was written on each estimator; a plain remark where there is a published value and nothing was written."""
    parts = ["<h3>Differences explained</h3>"]
    for one, row in zip(summaries, dynamical, strict=True):
        published = PUBLISHED.get((one.item.predictions.estimator, one.item.predictions.kind))
        text = notes.get(one.name)
        if text:
            parts.append(f"<h4>{html.escape(one.name)}</h4>{to_html(text)}")
        elif published:
            away = row["sigma_dex"] - published.sigma_dex
            parts.append(
                f"<p class='missing'><strong>{html.escape(one.name)}</strong>: scatter {away:+.3f} dex from the "
                "published one; not explained yet (give <code>--notes</code>).</p>"
            )
    unknown = sorted(set(notes) - {one.name for one in summaries} - {GENERAL})
    parts += [f"<h4>{html.escape(name)}</h4>{to_html(notes[name])}" for name in unknown]
    return "\n".join(parts)


def order_table(rows: Sequence[Mapping[str, Any]], column: str, unit: str, digits: int) -> str:
    """Estimators from best to worst and their published order; nothing for fewer than two that are published."""
    known = [row for row in rows if not math.isnan(row["published_place"])]
    if len(known) < 2:
        return ""
    same = all(row["place_among_published"] == row["published_place"] for row in known)
    lines = "".join(
        f"<tr><td>{html.escape(row['estimator'])}</td><td>{row['place_among_published']}</td>"
        f"<td>{cell(row[column], digits)}</td><td>{row['published_place']}</td>"
        f"<td>{cell(row[f'published_{column}'], digits)}</td></tr>"
        for row in known
    )
    return (
        f"<h3>Order</h3><p>By {html.escape(unit)}, of the estimators that have a published value: the measured order "
        f"is {'the published one' if same else 'not the published one'}.</p><table><thead><tr><th>estimator</th>"
        f"<th>place</th><th>{html.escape(unit)}</th><th>published place</th><th>published</th></tr></thead>"
        f"<tbody>{lines}</tbody></table>"
    )


def figure(image: Path, caption: str) -> str:
    data = base64.b64encode(image.read_bytes()).decode("ascii")
    text = html.escape(caption, quote=True)
    return f"<figure><img alt='{text}' src='data:image/png;base64,{data}'><figcaption>{text}</figcaption></figure>"


def _details(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(key for row in rows for key in row))
    head = "".join(f"<th>{html.escape(key)}</th>" for key in names)
    body = "".join("<tr>" + "".join(f"<td>{cell(row.get(key), 4)}</td>" for key in names) + "</tr>" for row in rows)
    return (
        f"<details><summary>{html.escape(name)} ({len(rows)} rows)</summary><div class='wide'><table><thead><tr>{head}"
        f"</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


def cell(value: Any, digits: int) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return html.escape(value)
    number = float(value)
    if math.isnan(number):
        return "&ndash;"
    if number == int(number) and abs(number) < 1e15 and not isinstance(value, float):
        return f"{int(number):,}"
    return f"{number:.{digits}f}" if abs(number) < 1e5 else f"{number:.4g}"


def _recipe(record: Mapping[str, Any]) -> str:
    """Commands, version, commit, hash of the input and settings, as recorded when the predictions were made."""
    commands = "\n".join(str(line) for line in record.get("commands", []))
    rows = "".join(
        f"<tr><td>{html.escape(str(key))}</td><td style='text-align:left;white-space:normal'>{html.escape(str(value))}"
        "</td></tr>"
        for key, value in record.items()
        if key != "commands"
    )
    return f"<pre>{html.escape(commands)}</pre><table><tbody>{rows}</tbody></table>"
