"""Simulation snapshots and galaxy catalogues into machine-learning-ready data, and estimators of galaxy-cluster mass.

Public names load their module when first used, so that importing the package costs nothing it does not need.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# public name -> module that holds it
_PUBLIC: dict[str, str] = {
    "MapSet": "data.maps_file",
    "MapSettings": "features.maps",
    "Targets": "features.targets",
    "draw_maps": "features.preview",
    "make_maps": "features.make",
    "read_maps": "data.maps_file",
    "targets_from_groups": "features.targets",
    "CHANNELS": "features.channels",
    "Channel": "features.channels",
    "Subsamples": "ops.subsample",
    "add_noise": "ops.noise",
    "beam_margin": "ops.beam",
    "bremsstrahlung_luminosity": "features.tracers",
    "channel_fields": "features.channels",
    "channel_weights": "features.channels",
    "compton_upsilon": "features.tracers",
    "convolve_beam": "ops.beam",
    "draw_subsamples": "ops.subsample",
    "gas_temperature": "features.tracers",
    "open_groups": "data.readers",
    "open_snapshot": "data.readers",
    "select_flat_mass_function": "ops.subsample",
    "select_smooth_mass_function": "ops.subsample",
    "write_demo_snapshot": "data.mocks.demo",
    "ParticleIndex": "ops.views",
    "build_particle_index": "ops.views",
    "project_particles": "ops.project",
    "project_views": "ops.views",
    "view_rotations": "ops.views",
}

# modules that are used by name after `import clustermass`
_MODULES = ("datasets",)

__all__ = ["__version__", *_MODULES, *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
