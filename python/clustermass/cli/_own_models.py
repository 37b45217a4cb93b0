"""What `clustermass info` says of a file of an estimator, without building it: no torch is needed."""

from __future__ import annotations

from typing import Any


def describe_model(path: str) -> dict[str, Any]:
    """Name, what it sees, masses and inputs of its training, whether its intervals were found right, where it is from.

    All of the file is read, since its checksum is over all of it.
    """
    from ..models.store import read_estimator_record
    from ..training.presets import PRESETS
    from ._own_files import _origin, _table

    about = read_estimator_record(path)
    config, record = about["config"], _table(about.get("record"))
    preset = PRESETS.get(str(config.get("preset")))
    parts = {int(k): _table(part) for k, part in _table(config.get("parts")).items()} or {-1: config}
    edges = getattr(preset, "redshift_edges", ())
    definition, networks = about.get("mass_definition"), []
    for number, part in sorted(parts.items()):
        if "scale" in part:
            low, high = (float(value) for value in part["scale"])
            networks.append({
                "redshift_bin": [edges[number], edges[number + 1]] if 0 <= number < len(edges) - 1 else None,
                "masses": {"definition": definition, "unit": "log10 Msun, no h", "low": low, "high": high},
                "like_training": _table(part.get("support")),
                "shape": _table(part.get("extra")).get("shape"),
            })  # fmt: skip
    settings = _table(next(iter(parts.values())).get("settings"))
    calibration = _table(record.get("calibration"))
    return {
        "estimator": about["estimator"],
        "preset": config.get("preset"),
        "source": about.get("source"),
        "sees": list(about.get("inputs") or ()),
        "channels": list(getattr(preset, "channels", ())),
        "mass_definition": definition,
        "mass_unit": about.get("mass_unit"),
        "networks": networks,
        "settings": settings or {k: v for k, v in config.items() if isinstance(v, (int, float, str, bool))},
        "calibrated": record.get("calibrated"),
        "calibration": {key: calibration.get(key) for key in ("verdict", "n", "failures") if key in calibration},
        **_origin({**record, "versions": about.get("versions")}, settings.get("seed")),
    }
