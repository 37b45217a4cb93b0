"""`python -m clustermass` is the `clustermass` command."""

from __future__ import annotations

import sys

from .cli.main import run

sys.exit(run())
