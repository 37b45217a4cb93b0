"""Results as text: the same tables on the terminal and in results/latest.md."""

from __future__ import annotations

from .floor import LIMITS


def missed(entry):
    """Whether a bar exists and was not met."""
    return entry["bar"] is not None and entry["ratio"] < entry["bar"]


def header(result):
    limits = [f"| {name} | {value:.2f} | {LIMITS[name]} |" for name, value in result["limits"].items()]
    packages = ", ".join(f"{name} {version}" for name, version in result["packages"].items() if version)
    return "\n".join([
        "# Benchmarks", "",
        f"{result['machine']}; commit {result['commit']}; {result['date']}; Python {result['python']}; {packages}.",
        f"Load average before the run: {result['load_before']:.2f}.", "",
        "Times are process CPU seconds of one thread, for two threads wall seconds; the least of the rounds. \"times",
        "ours\" is a code's time per piece of work over that of our one thread, with the middle 80 % of the rounds.",
        "The floor is the least that the work can take on this machine.", "",
        "## Limits of this machine, one thread", "",
        "| limit | value | what is measured |", "|---|---|---|", *limits,
    ])  # fmt: skip


def _time(ns):
    """Three digits and a unit."""
    for unit in ("ns", "us", "ms"):
        if ns < 1000:
            return f"{ns:.3g} {unit}"
        ns /= 1000
    return f"{ns:.3g} s"


def _line(entry, unit_rate):
    if not entry["installed"]:
        return f"| {entry['name']} | not installed | | | | |"
    band = "" if entry["rounds"] < 2 else f" ({entry['band'][0]:.2f} to {entry['band'][1]:.2f})"
    bar = "" if entry["bar"] is None else f"{entry['bar']:g}{' MISSED' if missed(entry) else ''}"
    rate = 1e9 / entry["ns"] * unit_rate
    cells = [entry["name"], _time(entry["ns"]), f"{rate:,.0f}" if rate > 1000 else f"{rate:.3g}",
             f"{entry['ratio']:.2f}{band}", bar, entry["note"]]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def table(row):
    """One row of the goals."""
    big = row["ours"][0]["ns"] < 1000
    unit, scale = ("million " if big else "") + row["unit"] + "/s", 1e-6 if big else 1.0
    floors = ", ".join(f"{name} {100 * share:.0f} %" for name, share in row["share_of_floor"].items())
    most = 100 * max(row["share_of_floor"].values(), default=0)
    return "\n".join([
        "", f"## {row['name']}: {row['title']}", "",
        f"| code | time per piece | {unit} | times ours | bar | how its work differs |", "|---|---|---|---|---|---|",
        *(_line(entry, scale) for entry in [*row["ours"], *row["peers"]]), "",
        f"Share of the floor: {most:.0f} % ({floors})." if floors else "Share of the floor: not measured, no compiler.",
    ])  # fmt: skip


def streaming(result):
    met = "met" if result["peak_mb"] < result["limit_mb"] else "MISSED"
    return "\n".join([
        "", "## M: streaming a snapshot larger than the byte budget", "",
        f"{result['read_mb']} MB of gas read and mapped in chunks of {result['budget_mb']} MB: "
        f"{result['read_mb'] / result['seconds']:.0f} MB/s, largest resident memory of the whole process "
        f"{result['peak_mb']} MB (bar: {result['limit_mb']} MB, {met}).",
    ])  # fmt: skip


def markdown(result):
    parts = [header(result), *(table(row) for row in result["rows"]), streaming(result["streaming"])]
    return "\n".join([*parts, "", f"Load average after the run: {result['load_after']:.2f}.", ""])
