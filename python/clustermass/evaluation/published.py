"""Published figures of estimators under the protocol of Ho et al. 2019, to stand beside measured ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .predictions import label_of

SOURCE = (
    "Ho et al. 2019, ApJ 887, 25 (arXiv:1902.05950v1), tables 1 and 2, as reprinted by Abbas 2019; MDPL2 of 1 Gpc/h "
    "with UniverseMachine galaxies at z = 0.117; 14 < log10 M200c [Msun/h] < 15; epsilon = log10(M_pred / M_true)"
)


@dataclass(frozen=True)
class Published:
    """A row of tables 1 and 2, residuals epsilon = log10(M_pred / M_true) in dex.

    Attributes
    ----------
    estimator, kind : str
        As in `Predictions`.
    bias_dex, p16_dex, p84_dex : float
        Median, and the percentiles themselves: median less and plus the printed distances.
    sigma_dex, skewness, kurtosis : float
    count_bias_percent : float
        As printed in the text.
    subsample_bias_dex, subsample_width_dex : float
        Median and 84-16 width for 0.6 <= r <= 0.8.
    """

    estimator: str
    kind: str
    bias_dex: float
    p16_dex: float
    p84_dex: float
    sigma_dex: float
    skewness: float
    kurtosis: float
    count_bias_percent: float
    subsample_bias_dex: float
    subsample_width_dex: float

    @property
    def name(self) -> str:
        """As `Predictions.name`."""
        return label_of(self.estimator, self.kind)

    def as_dict(self) -> dict[str, Any]:
        """One flat row of a table."""
        return asdict(self)


def _row(estimator: str, kind: str, median: float, above: float, below: float, *rest: float) -> Published:
    return Published(estimator, kind, median, round(median - below, 3), round(median + above, 3), *rest)


#: name, kind, median, +, -, sigma, gamma, kappa | count bias [%] | median and width of the sub-samples. The skewness of
#: CNN_1D is that of the authors' code: the printed 0.172 does not give the printed 4.2 %.
_ROWS = (
    _row("m-sigma", "pure", 0.025, 0.169, 0.183, 0.181, -0.254, 0.418, -1.6, 0.004, 0.237),
    _row("m-sigma", "contaminated", -0.087, 0.365, 0.329, 0.378, 0.356, 0.612, 55.0, 0.001, 0.269),
    _row("sdm-1d", "contaminated", -0.060, 0.146, 0.128, 0.151, 0.797, 2.194, 6.5, -0.140, 0.174),
    _row("sdm-2d", "contaminated", -0.014, 0.148, 0.148, 0.160, 0.337, 2.129, 4.9, 0.001, 0.255),
    _row("cnn-1d", "contaminated", 0.011, 0.169, 0.163, 0.171, 0.358, 0.776, 4.2, -0.029, 0.113),
    _row("cnn-2d", "contaminated", 0.034, 0.114, 0.119, 0.127, 0.097, 1.577, 1.1, -0.028, 0.082),
)
#: (estimator, kind) -> row
PUBLISHED: Mapping[tuple[str, str], Published] = {(row.estimator, row.kind): row for row in _ROWS}
