"""Interleaved comparison: of callables in one process (`interleave`, `verdict`), or of two builds of clustermass.

    python -m benchmarks.compare PATH_A PATH_B ROW [--rounds 8]

PATH_A and PATH_B are folders to put on PYTHONPATH, each with a `clustermass` in it; ROW is a row of benchmarks.run.
Rounds are even in number and alternate in order. A is called faster than B only if the middle 80 % of the per-round
ratios lie on one side of 1, and only from six rounds on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from statistics import median

FEWEST = 6  # rounds that a verdict needs


def timed(run):
    """(process CPU seconds, wall seconds) of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.process_time() - cpu, time.perf_counter() - wall


def interleave(arms, rounds):
    """Call each arm once per round, in alternating order: {name: [(cpu, wall), ...]}."""
    if rounds % 2:
        raise ValueError(f"`rounds` must be even, got {rounds}")
    times = {name: [] for name in arms}
    for index in range(rounds):
        for name in list(arms)[:: -1 if index % 2 else 1]:
            times[name].append(timed(arms[name]))
    return times


def verdict(a, b):
    """Median of each arm, and the band of b / a per round: above 1 where a is faster."""
    ratios = sorted(y / x for x, y in zip(a, b, strict=True))
    cut = len(ratios) // 10 if len(ratios) >= 10 else int(len(ratios) >= FEWEST)
    low, high = ratios[cut], ratios[-1 - cut]
    enough = len(ratios) >= FEWEST
    word = "faster" if enough and low > 1 else "slower" if enough and high < 1 else "not distinguishable"
    return {"median_a": median(a), "median_b": median(b), "low": low, "high": high, "a_is": word}


def _seconds(path, row):
    """CPU seconds of our arm of a row, in a fresh process that imports clustermass from `path`."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([path, os.getcwd()])}
    command = [sys.executable, "-m", "benchmarks.run", "--seconds", row]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path_a")
    parser.add_argument("path_b")
    parser.add_argument("row")
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    paths, times = {"A": args.path_a, "B": args.path_b}, {"A": [], "B": []}
    for index in range(args.rounds + args.rounds % 2):
        for arm in "BA" if index % 2 else "AB":
            times[arm].append(_seconds(paths[arm], args.row))
    result = verdict(times["A"], times["B"])
    print(f"{args.row}: A {result['median_a']:.4g} s, B {result['median_b']:.4g} s (medians); "
          f"B / A from {result['low']:.3f} to {result['high']:.3f}: A is {result['a_is']}")  # fmt: skip


if __name__ == "__main__":
    main()
