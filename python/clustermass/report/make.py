"""Everything of an evaluation in one call: tables, figures and page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import diagnostics, figures, map_figures, map_page, page, tables
from .folder import JOINT, MAPS, Evaluated, read_folder, write_json
from .interlopers import Surroundings, interloper_rows


def _write_tables(
    folder: Path, summaries: list[tables.Summary], n_bootstrap: int, seed: int
) -> dict[str, list[tables.Row]]:
    items = [one.item for one in summaries]
    options = {"n_bootstrap": n_bootstrap, "seed": seed}
    found = {
        "dynamical": tables.dynamical_rows(summaries),
        "order": [],
        "statistics": tables.error_rows(summaries),
        "bins": tables.bin_rows(items),
        "subsampling": tables.curve_rows(items),
        "velocity_errors": tables.velocity_rows(items),
        "diagnostics": diagnostics.diagnostic_rows(items, **options),
        "calibration": diagnostics.calibration_rows(items),
        "coverage": diagnostics.coverage_rows(items),
        "mass_function": diagnostics.mass_function_rows(items, seed=seed),
        "comparisons": diagnostics.comparison_rows(items, n_bootstrap=min(n_bootstrap, 200), seed=seed),
        "published": tables.published_rows(),
    }
    found["order"] = tables.order_rows(found["dynamical"], "sigma_dex", "published_sigma_dex")
    for name, rows in found.items():
        _write_table(folder, name, rows)
    return found


def _write_table(folder: Path, name: str, rows: list[tables.Row]) -> None:
    tables.write_csv(folder / f"{name}.csv", rows, tables.DYNAMICAL if name == "dynamical" else None)
    write_json(folder / f"{name}.json", {"convention": tables.CONVENTION, "rows": rows})


def write_report(
    folder: Path,
    notes: Mapping[str, str] | None = None,
    *,
    around: Surroundings | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> tuple[Path, list[Path]]:
    """Write tables, figures and the page of all predictions in a folder; returns the page and the figures.

    Folders of `clustermass explain` inside (``explain`` or ``explain/NAME``) are shown on the page too. With `around`
    (`look_around`) there is a table of interloping clusters.

    Raises
    ------
    FileNotFoundError, FileFormatError, MissingDependencyError, OSError
    """
    items, notes = read_folder(folder), notes or {}
    galaxies = [item for item in items if item.predictions.kind not in (MAPS, JOINT)]
    maps = [item for item in items if item.predictions.kind in (MAPS, JOINT)]
    sections, shown, drawn = [], {}, []
    if galaxies:
        summaries = tables.summarise(galaxies, n_bootstrap=n_bootstrap, seed=seed)
        found = _write_tables(folder, summaries, n_bootstrap, seed)
        if around is not None:
            found["interlopers"] = interloper_rows(galaxies, around, n_bootstrap=n_bootstrap, seed=seed)
            _write_table(folder, "interlopers", found["interlopers"])
        drawn = figures.draw_all(summaries, folder / "figures")
        sections.append(page.galaxy_section(summaries, found, drawn, notes))
        shown = {name: rows for name, rows in found.items() if name != "dynamical"}
    if maps:
        found = map_page.write_map_tables(folder, maps, n_bootstrap=n_bootstrap, seed=seed)
        more = map_figures.draw_map_figures(maps, folder / "figures")
        sections.append(map_page.map_section(found, more, notes))
        shown, drawn = shown | found, drawn + more
    sections += map_page.looked_at_sections(folder)
    record = record_of(items)
    write_json(folder / "report.json", record)
    out = folder / "report.html"
    page.write_page(out, sections, shown, notes, record)
    return out, [path for path, _ in drawn]


def record_of(items: list[Evaluated]) -> dict[str, Any]:
    """How the predictions of a folder came to be: commands, versions, commits, input, settings."""
    records = [item.predictions.record for item in items]

    def unique(*keys: str) -> list[Any]:
        values: list[Any] = []
        for record in records:
            value: Any = record
            for key in keys:
                value = value.get(key) if isinstance(value, Mapping) else None
            if value not in values:
                values.append(value)
        return values

    inputs = records[0].get("inputs") or [{}]
    catalogue = records[0].get("catalogue") or {}
    universe = catalogue.get("universe") or {}
    before = [text for text in (universe.get("source"), catalogue.get("command")) if isinstance(text, str)]
    return {
        "commands": [*before, *unique("command"), f"clustermass report {items[0].path.parent.parent.name}"],
        "convention": tables.CONVENTION,
        "input": inputs[0].get("name"),
        "input_sha256": inputs[0].get("sha256"),
        "versions": unique("versions"),
        "commit": unique("commit"),
        "code_sha256": unique("code"),
        "robustness": unique("plan"),
        "estimators": {item.predictions.name: item.predictions.record.get("settings") for item in items},
    }
