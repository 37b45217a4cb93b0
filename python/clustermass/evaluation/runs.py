"""Evaluate one estimator on one file of observations, or find that this was done already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..data.clusters_file import ClusterSet
from ..data.provenance import versions
from ..errors import ClusterMassError, DomainError
from ..models.registry import ESTIMATORS, estimator_class, make_estimator
from .predictions import FORMAT_VERSION, read_predictions, write_predictions
from .protocol import OBSERVED, evaluate_estimator
from .robustness import RobustnessPlan


def galaxy_estimators(module: str = "") -> tuple[str, ...]:
    """Registered estimators that need no more than observations of galaxies hold; of modules that begin so."""
    names = [name for name, (where, _, _) in ESTIMATORS.items() if where.startswith(module)]
    return tuple(name for name in names if set(estimator_class(name)[0].inputs) <= OBSERVED)


def code_hash() -> str:
    """SHA-256 over the sources and the compiled modules of this package: other code, other results."""
    root = Path(__file__).resolve().parents[1]
    sha = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".so", ".pyd") and p.is_file()):
        sha.update(str(path.relative_to(root)).encode() + b"\0")
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


def run_record(
    name: str,
    kind: str,
    plan: RobustnessPlan,
    inputs: list[dict[str, Any]],
    code: str,
    *,
    changes: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """What predictions are made from, and its key: equal keys mean equal predictions. `changes` are settings other than
    those that go with the name; with them the key is another, what is in `more` is only written down."""
    cls, preset = estimator_class(name)
    basis = {
        "format_version": FORMAT_VERSION,
        "estimator": name,
        "settings": preset | dict(changes or {}),
        "kind": kind,
        "plan": asdict(plan),
        "inputs": inputs,
        "code": code,
        "versions": versions(),
    }
    key = hashlib.sha256(json.dumps(basis, sort_keys=True, default=str).encode()).hexdigest()
    about = {"key": key, "estimator_inputs": " + ".join(word.replace("_", " ") for word in cls.inputs)}
    record: dict[str, Any] = json.loads(json.dumps(basis | about | more, default=str))
    return record | {"source": make_estimator(name).source}


def frame_of(clusters: ClusterSet) -> dict[str, float | None]:
    """The universe of observations: cosmology, redshift and side of the box [comoving Mpc, no h]."""
    cosmology = clusters.cosmology
    return {
        "h": cosmology.h,
        "omega_m": cosmology.omega_m,
        "omega_lambda": cosmology.omega_lambda,
        "redshift": float(clusters.redshift),
        "box_size": float(clusters.box_size),
    }


def is_done(path: Path, record: Mapping[str, Any]) -> bool:
    """Whether a file holds the predictions that this record describes."""
    try:
        found, extra = read_predictions(path)
    except (FileNotFoundError, ClusterMassError):
        return False
    return found.record.get("key") == record["key"] and {"subsamples", "velocity_errors"} <= set(extra)


def run_estimator(
    path: Path,
    clusters: ClusterSet,
    name: str,
    plan: RobustnessPlan,
    record: Mapping[str, Any],
    progress: Callable[[int], None] | None = None,
) -> None:
    """Evaluate a registered estimator and write its file, whole or not at all."""
    if name not in galaxy_estimators():
        raise DomainError(f"estimator {name!r} needs more than observations of galaxies hold")
    found = evaluate_estimator(lambda: make_estimator(name), clusters, plan, progress=progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    extra = {"subsamples": found.subsamples.columns(), "velocity_errors": found.velocity_errors.columns()}
    write_predictions(path, replace(found.predictions, estimator=name, record=dict(record)), extra=extra)
