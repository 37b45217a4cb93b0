"""`clustermass demo`: the whole story on data that come with the package, each step a command that is shown."""

from __future__ import annotations

import argparse
import json
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from ._demo_notes import write_notes
from ._progress import duration

PARTS = ("snapshot", "galaxies", "maps")
STEPS = "steps.json"  #: in the folder: what is finished
SNAPSHOT = "demo_snapshot.hdf5"


@dataclass(frozen=True)
class Size:
    """How much is made: chosen so that all of it takes less than ten minutes on two cores."""

    box: float  #: side of the universe [Mpc/h]
    density: float  #: of the flat mass function that networks learn from [(h/Mpc)^3 per dex]
    epochs: int  #: of the network on galaxies
    pixels: int  #: of a side of the maps of 20 arcmin
    particles: int  #: of the gas of a cluster
    map_epochs: int
    map_folds: int
    explained: int  #: clusters of each mass bin
    bootstrap: int = 200


SIZES = {
    "demo": Size(250.0, 3e-4, 20, 60, 4000, 30, 5, 4),
    "toy": Size(125.0, 3e-4, 1, 20, 300, 1, 2, 1, 10),  # for tests
}


@dataclass(frozen=True)
class Step:
    """A command, the parts of the story that need it, and the files that it leaves."""

    parts: tuple[str, ...]
    words: tuple[str, ...]
    makes: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--out", default="demo", metavar="DIR", help="folder for the files (demo); finished steps "
                        "there are not done again")  # fmt: skip
    parser.add_argument("--only", choices=PARTS, help="one part: snapshot (maps of a simulation), galaxies (M-sigma "
                        "and a network on galaxies), maps (a network on maps)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="random seed (1)")
    parser.add_argument("--size", default="demo", choices=tuple(SIZES), help=argparse.SUPPRESS)


def execute(args: argparse.Namespace) -> int:
    """Run the steps that are not finished, then write the page; the first step that fails is the last."""
    folder, start = Path(args.out), time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = PARTS if args.only is None else (args.only,)
    size = SIZES[args.size]
    if code := _run_all(folder, [step for step in plan(folder, size, args.seed) if set(step.parts) & set(wanted)]):
        return code
    place = str(folder)
    if wanted != ("snapshot",):
        notes = folder / "notes.md"
        write_notes(notes, folder, size)
        command = ["report", str(folder / "report"), "--notes", str(notes), "--bootstrap", str(size.bootstrap)]
        print(f"\n$ {shlex.join(['clustermass', *command])}", flush=True)
        if code := _run(command):
            return code
        place = str(folder / "report" / "report.html")
    print(f"\ndone in {duration(time.monotonic() - start)}: open {place}")
    return 0


def plan(folder: Path, size: Size, seed: int) -> list[Step]:
    """All steps, in order."""
    return [*_snapshot(folder, seed), *_clusters(folder, size, seed), *_galaxies(folder, size, seed),
            *_maps(folder, size, seed)]  # fmt: skip


def _snapshot(folder: Path, seed: int) -> list[Step]:
    """Maps of a generated snapshot and of the simulation that comes with the package."""
    from .. import datasets

    steps = []
    made = str(folder / SNAPSHOT), str(folder / SNAPSHOT.replace(".", "_groups."))
    for name, snapshot, groups in (
        ("demo", *made),
        ("sample", str(datasets.sample_snapshot()), str(datasets.sample_groups())),
    ):
        maps, picture = str(folder / f"{name}_maps.h5"), str(folder / f"{name}_maps.png")
        # a tenth of the usual noise would still drown the galaxies of so few star particles
        noise = ("--seed", str(seed), "--noise", "stars=1e9", "--overwrite")
        steps.append(Step(("snapshot",), ("maps", snapshot, "--groups", groups, *noise, "--out", maps), (maps,)))
        steps.append(Step(("snapshot",), ("preview", maps, "--out", picture), (picture,)))
    return steps


def _clusters(folder: Path, size: Size, seed: int) -> list[Step]:
    """A universe and its clusters as observed."""
    universe, clusters, picture = (str(folder / name) for name in ("universe.hdf5", "clusters.hdf5", "clusters.png"))
    both, random = ("galaxies", "maps"), ("--seed", str(seed), "--overwrite")
    return [
        Step(both, ("mock", "universe", universe, "--box-size", f"{size.box:g}", *random), (universe,)),
        Step(both, ("catalog", universe, clusters, "--target-density", f"{size.density:g}", *random), (clusters,)),
        Step(("galaxies",), ("preview", clusters, "--out", picture), (picture,)),
    ]


def _galaxies(folder: Path, size: Size, seed: int) -> list[Step]:
    """Masses from velocity dispersions, and from a network on phase space."""
    clusters, report = str(folder / "clusters.hdf5"), folder / "report"
    mine = ("galaxies",)
    tables = [str(report / "predictions" / f"m-sigma-{kind}.hdf5") for kind in ("pure", "contaminated")]
    return [
        Step(mine, ("evaluate", clusters, "--estimators", "m-sigma", "--kind", "pure,contaminated", "--bootstrap",
                    str(size.bootstrap), "--out", str(report)), tuple(tables)),
        Step(mine, ("train", "cnn-2d", clusters, "--epochs", str(size.epochs), "--seed", str(seed),
                    "--allow-uncalibrated", "--out", str(report)), (str(report / "cnn-2d.safetensors"),)),
        Step(mine, ("explain", str(report / "cnn-2d.safetensors"), clusters, "--bins", "3", "--clusters",
                    str(size.explained), "--out", str(report / "explain" / "cnn-2d")),
             (str(report / "explain" / "cnn-2d" / "saliency.json"),)),
    ]  # fmt: skip


def _maps(folder: Path, size: Size, seed: int) -> list[Step]:
    """Gas on the same clusters, maps of it, a network on them and what it looks at."""
    universe, clusters, maps = folder / "universe.hdf5", folder / "clusters.hdf5", folder / "maps.h5"
    report, picture = folder / "report", folder / "maps.png"
    model, why = report / "yan-compton-y.safetensors", report / "explain" / "yan-compton-y"
    mine = ("maps",)
    paint = ("mock", "gas", str(universe), str(maps), "--clusters", str(clusters), "--max-views", "3", "--pixels",
             str(size.pixels), "--particles", str(size.particles), "--seed", str(seed), "--overwrite")  # fmt: skip
    train = ("train", "yan-compton-y", str(maps), "--epochs", str(size.map_epochs), "--folds", str(size.map_folds),
             "--seed", str(seed), "--allow-uncalibrated", "--out", str(report))  # fmt: skip
    explain = ("explain", str(model), str(maps), "--clusters", str(size.explained), "--out", str(why))
    return [
        Step(mine, paint, (str(maps),)),
        Step(mine, ("preview", str(maps), "--out", str(picture)), (str(picture),)),
        Step(mine, train, (str(model),)),
        Step(mine, explain, (str(why / "explanation.json"),)),
    ]


def _run_all(folder: Path, steps: list[Step]) -> int:
    """Run steps in order; those that a former run finished, before the first that it did not, are passed over."""
    done, again = _read_done(folder), False
    for number, step in enumerate(steps, 1):
        command = shlex.join(["clustermass", *step.words])
        print(f"\n[{number}/{len(steps)}] $ {command}", flush=True)
        if not again and command in done and all(Path(path).exists() for path in step.makes):
            print(f"finished before, in {duration(done[command])}")
            continue
        again = True
        seconds, code = _timed(step)
        if code:
            return code
        done[command] = seconds
        _write_done(folder, done)
        print(f"took {duration(seconds)}")
    return 0


def _timed(step: Step) -> tuple[float, int]:
    """Run one step: seconds and exit code."""
    start = time.monotonic()
    if step.words[0] == "maps" and Path(step.words[1]).name == SNAPSHOT:
        from ..data.mocks.demo import write_demo_snapshot

        files = write_demo_snapshot(Path(step.words[1]), seed=int(step.words[step.words.index("--seed") + 1]))
        print(f"{files.snapshot}: generated demonstration snapshot, with its catalogue {files.groups.name}")
    code = _run(list(step.words))
    return time.monotonic() - start, code


def _run(words: list[str]) -> int:
    """Run a command as the user would."""
    from .main import run

    return run(words)


def _read_done(folder: Path) -> dict[str, float]:
    """Commands that former runs finished, with their seconds; none where the file is damaged."""
    try:
        found = json.loads((folder / STEPS).read_text(encoding="utf-8"))
        return {str(command): float(seconds) for command, seconds in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write_done(folder: Path, done: dict[str, float]) -> None:
    from ..report.folder import write_json

    write_json(folder / STEPS, {command: round(seconds, 1) for command, seconds in done.items()})
