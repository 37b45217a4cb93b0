"""Catalogues of haloes, galaxies and clusters: one file per family of formats, one set of names and units out."""

from __future__ import annotations

from .catalogue import Catalogue
from .columns import CatalogueColumn
from .formats import FORMATS, identify, is_catalogue, open_catalogue
from .summary import count_large, summarise

__all__ = [
    "FORMATS",
    "Catalogue",
    "CatalogueColumn",
    "count_large",
    "identify",
    "is_catalogue",
    "open_catalogue",
    "summarise",
]
