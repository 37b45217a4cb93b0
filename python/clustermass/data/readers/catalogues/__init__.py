"""Catalogues of haloes, galaxies and clusters: one file per family of formats, one set of names and units out."""

from __future__ import annotations

from .catalogue import Catalogue
from .columns import CatalogueColumn
from .formats import FORMATS, identify, open_catalogue

__all__ = ["FORMATS", "Catalogue", "CatalogueColumn", "identify", "open_catalogue"]
