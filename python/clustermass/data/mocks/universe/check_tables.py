"""Tables of what was measured on a universe beside what was to be expected."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckTable:
    """One comparison with a published relation.

    Attributes
    ----------
    title : str
    source : str
        Where the expectation comes from.
    columns : tuple of str
    rows : tuple of tuples of float or str
        As many entries as columns.
    is_met : bool or None
        Whether the measurement is within what the documentation promises; None: for information.
    """

    title: str
    source: str
    columns: tuple[str, ...]
    rows: tuple[tuple[float | str, ...], ...]
    is_met: bool | None = None

    def text(self) -> str:
        """The table as lines of text, columns lined up."""
        cells = [list(self.columns), *([_cell(value) for value in row] for row in self.rows)]
        widths = [max(len(row[k]) for row in cells) for k in range(len(self.columns))]
        lines = ["  ".join(value.rjust(width) for value, width in zip(row, widths, strict=True)) for row in cells]
        verdict = {True: "met", False: "NOT met", None: "for information"}[self.is_met]
        return "\n".join([f"{self.title} ({self.source}): {verdict}", *lines])


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
