"""Estimators by name; their modules are loaded when asked for."""

from __future__ import annotations

import importlib
from typing import Any

from .. import _validate as check
from ..errors import DomainError
from .base import Estimator

_LEARNED = (
    "cnn-1d", "cnn-2d", "cnn-1d-final", "cnn-2d-final", "bayesian-cnn", "bayesian-cnn-binned", "bayesian-cnn-dropout",
    "neural-flow", "cnn-3d", "neural-posterior", "set-posterior",
)  # fmt: skip
_MAPS = (
    "yan-stars", "yan-xray-soft", "yan-xray-bolometric", "yan-compton-y", "yan-multichannel", "yan-compton-y-posterior",
    "map-resnet", "map-resnet-posterior",
    "erosita-naive", "erosita-cnn", "erosita-outliers", "erosita-gaussian", "krippendorf-2024",
)  # fmt: skip
_MAPS_BY_REDSHIFT = ("deepplanck", "deepplanck-clean")
#: name -> module relative to `clustermass.models`, class, and settings that go with the name
ESTIMATORS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "caustic": ("classical.caustic", "Caustic", {}),
    "deepplanck-released": (".training.deepplanck", "DeepPlanck", {}),
    "distribution-function": ("classical.distribution_function", "DistributionFunction", {}),
    "jeans": ("classical.jeans", "Jeans", {}),
    "l-x-core-excised": (
        "classical.scaling_relation",
        "ScalingRelation",
        {"quantity": "l_x_core_excised", "evolution": 7.0 / 3.0},
    ),
    "l-x-m": ("classical.luminosity_mass", "LuminosityMass", {}),
    "lensing": ("classical.lensing", "ShearFit", {}),
    "m-sigma": ("classical.m_sigma", "MSigma", {}),
    "m-sigma-evrard2008": ("classical.m_sigma_published", "PublishedMSigma", {"calibration": "evrard2008"}),
    "m-sigma-lau2010": ("classical.m_sigma_published", "PublishedMSigma", {"calibration": "lau2010"}),
    "m-sigma-munari2013-dm": ("classical.m_sigma_published", "PublishedMSigma", {"calibration": "munari2013-dm"}),
    "m-sigma-munari2013-galaxies": (
        "classical.m_sigma_published",
        "PublishedMSigma",
        {"calibration": "munari2013-galaxies"},
    ),
    "m-sigma-munari2013-subhaloes": (
        "classical.m_sigma_published",
        "PublishedMSigma",
        {"calibration": "munari2013-subhaloes"},
    ),
    "m-sigma-saro2013": ("classical.m_sigma_published", "PublishedMSigma", {"calibration": "saro2013"}),
    "projected-mass": ("classical.projected_mass", "ProjectedMass", {}),
    "projected-mass-average": ("classical.projected_mass", "ProjectedMass", {"kind": "average"}),
    "projected-mass-median": ("classical.projected_mass", "ProjectedMass", {"kind": "median"}),
    "scaling-relation": ("classical.scaling_relation", "ScalingRelation", {}),
    "y-m": ("classical.compton_mass", "ComptonMass", {}),
    "sdm-1d": ("support.machine", "SpeedMachine", {}),
    "sdm-2d": ("support.machine", "SpeedRadiusMachine", {}),
    "virial": ("classical.virial", "VirialMass", {}),
    **{name: (".training.dynamical", "DynamicalEstimator", {"preset": name}) for name in _LEARNED},
    **{name: (".training.map_estimator", "MapEstimator", {"preset": name}) for name in _MAPS},
    "joint-posterior": (".training.joint", "JointEstimator", {"preset": "joint-posterior"}),
    **{name: (".training.redshift_bins", "RedshiftBins", {"preset": name}) for name in _MAPS_BY_REDSHIFT},
}


def make_estimator(name: str, **settings: Any) -> Estimator:
    """A new estimator.

    Parameters
    ----------
    name : str
        One of `ESTIMATORS`.
    **settings
        Arguments of the estimator's constructor; its documentation has them.

    Returns
    -------
    Estimator

    Raises
    ------
    DomainError
        If there is no estimator of that name, or it does not know a setting.

    Examples
    --------
    >>> make_estimator("crystal-ball")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    clustermass.errors.DomainError: `name` must be one of ...
    """
    cls, preset = estimator_class(name)
    try:
        return cls(**(preset | settings))
    except TypeError as exc:
        raise DomainError(f"estimator {name!r}: {exc}") from exc


def estimator_class(name: str) -> tuple[type[Estimator], dict[str, Any]]:
    """Class of an estimator, and the settings that go with the name."""
    module, cls, preset = ESTIMATORS[check.choice(name, "name", tuple(ESTIMATORS))]
    found = getattr(importlib.import_module(f".{module}", __package__), cls)
    kind: type[Estimator] = found
    return kind, dict(preset)
