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
    "LinearSummary": "linear",
    "RedshiftBin": "linear",
    "ResidualSummary": "residuals",
    "edgeworth_count_bias": "count_bias",
    "linear_summary": "linear",
    "linear_summary_by_redshift": "linear",
    "log_residuals": "residuals",
    "summarise_in_bins": "residuals",
    "summarise_residuals": "residuals",
}

__all__ = list(_PUBLIC)

if TYPE_CHECKING:
    from .count_bias import edgeworth_count_bias as edgeworth_count_bias
    from .linear import LinearSummary as LinearSummary
    from .linear import RedshiftBin as RedshiftBin
    from .linear import linear_summary as linear_summary
    from .linear import linear_summary_by_redshift as linear_summary_by_redshift
    from .residuals import BinSummary as BinSummary
    from .residuals import ResidualSummary as ResidualSummary
    from .residuals import log_residuals as log_residuals
    from .residuals import summarise_in_bins as summarise_in_bins
    from .residuals import summarise_residuals as summarise_residuals
else:  # hidden from type checkers, as in the package itself

    def __getattr__(name: str) -> Any:
        if name in _PUBLIC:
            return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
