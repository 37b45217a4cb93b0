"""Measure rows of the goals: `python -m benchmarks.run [ROW ...]`; without a name all of them, and the results saved.

All arms of a row take turns in one process. With one thread the time is the least process CPU time of the rounds, with
two the least wall time. A ratio is a peer's time per piece of work over ours; the floor is the least time that the
work can take on this machine, measured in the same turns.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

from . import compare, floor, report, streaming
from .rows import ROWS

ROUNDS = 8
SLOW = 3.0  # [s] an arm that takes longer gets two rounds
PACKAGES = ("numpy", "numba", "scipy", "torch", "fast-histogram", "boost-histogram", "swiftsimio", "meshoid", "Pylians")


def measure(row, rounds=ROUNDS):
    """Warm and check every arm, then time them in turns: what the report needs, as plain numbers."""
    present = {arm.name: arm for arm in [*row.ours, *row.peers, *row.floors] if arm.run}
    for arm in present.values():
        answer = arm.run()
        if arm.check:
            arm.check(answer)
        del answer
    times = compare.interleave({name: arm.run for name, arm in present.items()}, 2)
    quick = {name: arm.run for name, arm in present.items() if times[name][0][1] < SLOW}
    for name, more in compare.interleave(quick, rounds - 2).items():
        times[name] += more
    ours = row.ours[0]

    def entry(arm):
        if not arm.run:
            return {"name": arm.name, "installed": False, "bar": row.bars.get(arm.name)}
        clock = 1 if "2 threads" in arm.name else 0
        seconds, own = [t[clock] for t in times[arm.name]], [t[clock] for t in times[ours.name]]
        per_item = [s * ours.items / arm.items for s in seconds]
        paired = min(len(seconds), len(own))  # slow arms have fewer rounds
        band = compare.verdict(own[:paired], per_item[:paired])
        result = {"name": arm.name, "installed": True, "ns": 1e9 * min(seconds) / arm.items, "note": arm.note,
                  "rounds": paired, "items": arm.items, "ratio": min(per_item) / min(own),
                  "band": [band["low"], band["high"]]}  # fmt: skip
        return result | {"bar": row.bars.get(arm.name)}

    best = min(t[0] for t in times[ours.name])
    limits = {arm.name: min(t[0] for t in times[arm.name]) / best for arm in row.floors}
    return {"name": row.name, "title": row.title, "unit": row.unit, "ours": [entry(a) for a in row.ours],
            "peers": [entry(a) for a in row.peers], "share_of_floor": limits}  # fmt: skip


def machine():
    """What the numbers belong to."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, {os.cpu_count()} cores"


def commit():
    """Short name of the commit, marked where the tree differs from it; "unknown" outside a checkout."""
    try:
        git = ["git", "-C", str(Path(__file__).parent)]
        name = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True).stdout
        changed = subprocess.run([*git, "status", "--porcelain", "--untracked-files=no"], check=True,
                                 capture_output=True, text=True).stdout  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.strip() + ("-changed" if changed.strip() else "")


def version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def save(result):
    """Write the numbers for programs and the table for readers."""
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", result["machine"].lower()).strip("-")
    (folder / f"{name}-{result['commit']}.json").write_text(json.dumps(result, indent=1) + "\n")
    (folder / "latest.md").write_text(report.markdown(result))
    print(f"saved in {folder}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}, M")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", action="store_true", help="print our seconds only (for benchmarks.compare)")
    args = parser.parse_args()
    if unknown := set(args.rows) - {*ROWS, "M"}:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    if args.seconds:
        run = ROWS[args.rows[0]]().ours[0].run
        run()
        print(min(compare.timed(run)[0] for _ in range(3)))
        return
    names = args.rows or [*ROWS, "M"]
    result = {"machine": machine(), "commit": commit(), "date": datetime.date.today().isoformat(),
              "python": platform.python_version(), "packages": {p: version(p) for p in PACKAGES},
              "load_before": os.getloadavg()[0], "limits": floor.measure(), "rows": []}  # fmt: skip
    print(report.header(result))
    for name in names:
        if name == "M":
            result["streaming"] = streaming.measure()
            print(report.streaming(result["streaming"]))
            continue
        result["rows"].append(measure(ROWS[name](), args.rounds))
        print(report.table(result["rows"][-1]), flush=True)
    result["load_after"] = os.getloadavg()[0]
    if not args.rows:
        save(result)
    missed = [f"{row['name']} {p['name']}" for row in result["rows"] for p in row["peers"]
              if p["installed"] and report.missed(p)]  # fmt: skip
    print("every bar met" if not missed else f"bars missed: {', '.join(missed)}")


if __name__ == "__main__":
    np.seterr(all="ignore")
    sys.exit(main())
