"""Simulation snapshots and galaxy catalogues into machine-learning-ready data, and estimators of galaxy-cluster mass."""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
