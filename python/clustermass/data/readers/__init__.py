"""One file per format; units and frames are converted here and nowhere else.

`open_snapshot` and `open_groups` look at the content of a file, never at its name, to tell the format.
"""

from __future__ import annotations

from .formats import detect, open_groups, open_snapshot
from .snapshot import Snapshot

__all__ = ["Snapshot", "detect", "open_groups", "open_snapshot"]
