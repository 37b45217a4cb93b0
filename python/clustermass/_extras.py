"""Packages that only some installations have."""

from __future__ import annotations

import importlib
from typing import Any

from .errors import MissingDependencyError


def import_extra(module: str, *, extra: str, what: str) -> Any:
    """An optional package, or the error that says what needs it and how to get it.

    Raises
    ------
    MissingDependencyError

    Examples
    --------
    >>> import_extra("no_such_package", extra="ml", what="learned estimators need")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    clustermass.errors.MissingDependencyError: learned estimators need no_such_package: pip install ...
    """
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        raise MissingDependencyError(f"{what} {module}: pip install 'clustermass[{extra}]' ({exc})") from exc


def new_figure(size: tuple[float, float], dpi: int = 100, layout: str | None = "constrained") -> Any:
    """An empty figure of matplotlib of a size in inches, of no window and no global state.

    Raises
    ------
    MissingDependencyError

    Examples
    --------
    >>> new_figure((4, 3)).get_size_inches().tolist()
    [4.0, 3.0]
    """
    backend = import_extra("matplotlib.backends.backend_agg", extra="plot", what="drawing needs")
    figure = import_extra("matplotlib.figure", extra="plot", what="drawing needs").Figure(size, dpi, layout=layout)
    backend.FigureCanvasAgg(figure)
    return figure
