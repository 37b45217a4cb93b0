"""Statistics of mass estimates on plain arrays. Residuals everywhere: epsilon = log10(M_pred / M_true), in dex.

Names load their module when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# public name -> module that holds it, sorted; type checkers see the same names through the imports below
# (tests/evaluation/test_namespace.py compares the two lists)
_PUBLIC: dict[str, str] = {
    "BinSummary": "residuals",
    "CalibrationBin": "calibration_report",
    "CalibrationReport": "calibration_report",
    "Comparison": "compare",
    "ContaminationBias": "interlopers",
    "CoverageTable": "calibration",
    "Difference": "compare",
    "InterloperBias": "interlopers",
    "InterlopingClusters": "interloping_clusters",
    "LinearSummary": "linear",
    "MassFunction": "mass_function",
    "RedshiftBin": "linear",
    "ResidualSummary": "residuals",
    "RichnessScatter": "richness",
    "Slope": "interlopers",
    "bias_by_contamination": "interlopers",
    "bias_by_interloper": "interlopers",
    "central_coverage": "calibration",
    "check_calibration": "calibration_report",
    "compare_estimators": "compare",
    "completeness_in_bins": "mass_function",
    "edgeworth_count_bias": "count_bias",
    "expected_coverage": "tarp",
    "expected_mass_function": "mass_function",
    "find_interloping_clusters": "interloping_clusters",
    "fit_richness_scatter": "richness",
    "holm": "calibration_report",
    "linear_summary": "linear",
    "linear_summary_by_redshift": "linear",
    "log_residuals": "residuals",
    "phase_space_distance": "interlopers",
    "pit_values": "calibration",
    "ranks_to_pit": "calibration",
    "recovered_mass_function": "mass_function",
    "sbc_ranks": "calibration",
    "summarise_in_bins": "residuals",
    "summarise_residuals": "residuals",
    "tarp_distance": "tarp",
    "tarp_from_samples": "tarp",
    "tarp_values": "tarp",
    "uniformity": "calibration",
}

__all__ = list(_PUBLIC)

if TYPE_CHECKING:
    from .calibration import CoverageTable as CoverageTable
    from .calibration import central_coverage as central_coverage
    from .calibration import pit_values as pit_values
    from .calibration import ranks_to_pit as ranks_to_pit
    from .calibration import sbc_ranks as sbc_ranks
    from .calibration import uniformity as uniformity
    from .calibration_report import CalibrationBin as CalibrationBin
    from .calibration_report import CalibrationReport as CalibrationReport
    from .calibration_report import check_calibration as check_calibration
    from .calibration_report import holm as holm
    from .compare import Comparison as Comparison
    from .compare import Difference as Difference
    from .compare import compare_estimators as compare_estimators
    from .count_bias import edgeworth_count_bias as edgeworth_count_bias
    from .interlopers import ContaminationBias as ContaminationBias
    from .interlopers import InterloperBias as InterloperBias
    from .interlopers import Slope as Slope
    from .interlopers import bias_by_contamination as bias_by_contamination
    from .interlopers import bias_by_interloper as bias_by_interloper
    from .interlopers import phase_space_distance as phase_space_distance
    from .interloping_clusters import InterlopingClusters as InterlopingClusters
    from .interloping_clusters import find_interloping_clusters as find_interloping_clusters
    from .linear import LinearSummary as LinearSummary
    from .linear import RedshiftBin as RedshiftBin
    from .linear import linear_summary as linear_summary
    from .linear import linear_summary_by_redshift as linear_summary_by_redshift
    from .mass_function import MassFunction as MassFunction
    from .mass_function import completeness_in_bins as completeness_in_bins
    from .mass_function import expected_mass_function as expected_mass_function
    from .mass_function import recovered_mass_function as recovered_mass_function
    from .residuals import BinSummary as BinSummary
    from .residuals import ResidualSummary as ResidualSummary
    from .residuals import log_residuals as log_residuals
    from .residuals import summarise_in_bins as summarise_in_bins
    from .residuals import summarise_residuals as summarise_residuals
    from .richness import RichnessScatter as RichnessScatter
    from .richness import fit_richness_scatter as fit_richness_scatter
    from .tarp import expected_coverage as expected_coverage
    from .tarp import tarp_distance as tarp_distance
    from .tarp import tarp_from_samples as tarp_from_samples
    from .tarp import tarp_values as tarp_values
else:  # hidden from type checkers, as in the package itself

    def __getattr__(name: str) -> Any:
        if name in _PUBLIC:
            return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
