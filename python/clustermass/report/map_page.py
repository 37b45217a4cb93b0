"""The parts of a report page on maps: masses beside published ones, and what networks look at."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import FileFormatError
from . import map_tables
from .folder import JOINT, Evaluated, write_json
from .map_tables import MAP_RANGE, PUBLISHED_MAPS, REDSHIFT_EDGES, Row
from .notes import to_html
from .page import cell, figure, order_table
from .tables import order_rows, write_csv

_MAX_JSON = 1_000_000  #: bytes of one of `_FILES`
_FILES = ("saliency.json", "explanation.json")  #: of networks on galaxies, and on maps
_GALAXIES = (
    "By bin of estimated mass: the galaxies of one cluster and what each does to its mass (red raises), the gradient "
    "on its map of phase space, the mean map of the bin, and influence by velocity; numbers in galaxies.csv."
)
CONVENTION = (
    f"M_pred / M_true - 1 in percent, test maps with {MAP_RANGE[0]:g} < log10 M_true [Msun] < {MAP_RANGE[1]:g}; rms "
    "about the mean; errors by bootstrap of clusters; by redshift (M_pred - M_true) / M_pred of all test maps"
)


def write_map_tables(
    folder: Path, items: Sequence[Evaluated], *, n_bootstrap: int = 1000, seed: int = 0
) -> dict[str, list[Row]]:
    """Write ``maps.csv`` and others (with JSON beside) and return their rows by name."""
    rows = map_tables.map_rows(items, n_bootstrap=n_bootstrap, seed=seed)
    found = {
        "maps": rows,
        "map_order": order_rows(rows, "rms_percent", "published_rms_percent"),
        "map_bins": map_tables.map_bin_rows(items),
        "map_redshifts": map_tables.map_redshift_rows(items),
    }
    for name, table in found.items():
        write_csv(folder / f"{name}.csv", table)
        write_json(folder / f"{name}.json", {"convention": CONVENTION, "rows": table})
    return found


def map_section(
    tables: Mapping[str, Sequence[Row]], figures: Sequence[tuple[Path, str]], notes: Mapping[str, str]
) -> str:
    """Masses from maps: percent beside published, by redshift where there is more than one bin, figures."""
    definitions = sorted({row["mass_definition"] for row in tables["maps"]})
    parts = [
        "<h2>Masses from maps</h2>",
        "<p class='convention'><strong>M_pred / M_true &minus; 1</strong> in percent: above 0 where the estimate is "
        f"too large. Masses are {' and '.join(definitions)} in Msun (no h); {MAP_RANGE[0]:g} &lt; log<sub>10</sub> "
        f"M_true [Msun] &lt; {MAP_RANGE[1]:g}, each map predicted by a network that never saw its cluster. The rms is "
        "that about the mean. Errors are of a bootstrap by cluster.</p>",
        _summary(tables["maps"]),
        _joint(tables["maps"]),
        order_table(tables["map_order"], "rms_percent", "rms [%]", 1),
        *(
            f"<h4>{html.escape(row['estimator'])}</h4>{to_html(notes[row['estimator']])}"
            for row in tables["maps"]
            if row["estimator"] in notes
        ),
        _by_redshift(tables["map_redshifts"]),
        *(figure(image, caption) for image, caption in figures),
    ]
    return "\n".join(parts)


def _summary(rows: Sequence[Row]) -> str:
    """The rows of maps.csv, each with the published one below, as table 2 of Yan et al. 2020."""
    heads = ("estimator", "maps", "clusters", "mean log ratio [dex]", "bias [%]", "rms [%]", "rms of the log [dex]")
    lines = []
    for row in rows:
        numbers = [
            f"{cell(row[name], digits)} &plusmn; {cell(row[f'{name}_error'], digits)}"
            for name, digits in (("mean_log_dex", 3), ("bias_percent", 1), ("rms_percent", 1), ("sigma_dex", 3))
        ]
        lines.append(
            _line([html.escape(row["estimator"]), cell(row["n_maps"], 0), cell(row["n_clusters"], 0), *numbers])
        )
        if row["estimator"] in PUBLISHED_MAPS:
            log, log_error, bias, bias_error, rms = PUBLISHED_MAPS[row["estimator"]]
            known = [f"{log:.3f} &plusmn; {log_error:.3f}", f"{bias:.1f} &plusmn; {bias_error:.1f}", f"{rms:.1f}", ""]
            lines.append(_line(["published", "", "", *known], "published"))
    return f"{_table(heads, lines)}<p>Published: {html.escape(map_tables.YAN)}, BAHAMAS.</p>"


def _joint(rows: Sequence[Row]) -> str:
    """Which estimators of the table see more than maps."""
    names = [html.escape(row["estimator"]) for row in rows if row["kind"] == JOINT]
    see = "sees" if len(names) == 1 else "see"
    return f"<p>{', '.join(names)} {see} the galaxies of the same views too.</p>" if names else ""


def _by_redshift(rows: Sequence[Row]) -> str:
    """Mean and scatter of relative errors by redshift; nothing where all maps lie in one bin."""
    whole = (REDSHIFT_EDGES[0], REDSHIFT_EDGES[-1])
    bins = {(r["redshift_low"], r["redshift_high"]) for r in rows} - {whole}
    if len(bins) < 2:
        return ""
    heads = ("estimator", "redshift", "maps", "measured", "published")
    lines = []
    for r in rows:
        known = (
            "" if math.isnan(r["published_mean"]) else f"{r['published_mean']:.2f} &plusmn; {r['published_sigma']:.2f}"
        )
        span = f"{r['redshift_low']:g} &lt; z &le; {r['redshift_high']:g}"
        lines.append(_line([html.escape(r["estimator"]), span, cell(r["n_maps"], 0),
                            f"{r['mean']:.3f} &plusmn; {r['sigma']:.3f}", known]))  # fmt: skip
    return (
        "<h3>By redshift</h3><p>Mean and standard deviation of (M_pred &minus; M_true) / M_pred. Published: "
        f"{html.escape(map_tables.DEEPPLANCK)}, mock Planck maps.</p>{_table(heads, lines)}"
    )


def _line(cells: Sequence[str], style: str = "") -> str:
    mark = f" class='{style}'" if style else ""
    return f"<tr{mark}>" + "".join(f"<td>{text}</td>" for text in cells) + "</tr>"


def _table(heads: Sequence[str], lines: Sequence[str]) -> str:
    head = "".join(f"<th>{text}</th>" for text in heads)
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"


def looked_at_sections(folder: Path) -> list[str]:
    """What `clustermass explain` left in ``explain`` of a folder, or in folders inside: sentences and figures.

    Raises
    ------
    FileFormatError
        If the file of one is damaged.
    """
    places = [place for name in _FILES for place in sorted((folder / "explain").glob(f"**/{name}"))]
    parts = [_looked_at(place) for place in places]
    return ["<h2>What the networks look at</h2>", *parts] if parts else []


def _looked_at(place: Path) -> str:
    if place.stat().st_size > _MAX_JSON:
        raise FileFormatError(f"{place} is larger than {_MAX_JSON} bytes")
    try:
        found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        title, sentences = str(found.get("estimator", place.parent.name)), [str(text) for text in found["sentences"]]
        named = (
            found["figures"] if place.name == "explanation.json" else [{"file": "saliency.png", "caption": _GALAXIES}]
        )
        figures = [(place.parent / Path(str(one["file"])).name, str(one["caption"])) for one in named]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise FileFormatError(f"{place}: not an explanation: {exc}") from exc
    items = "".join(f"<li>{html.escape(text)}</li>" for text in sentences)
    drawn = "\n".join(figure(image, caption) for image, caption in figures if image.is_file())
    return f"<h3>{html.escape(title)}</h3><ul>{items}</ul>{drawn}"
