"""The source tree as the meta tests see it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import clustermass

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "python" / "clustermass"
IMPORTED = Path(clustermass.__file__).parent  # the same as PACKAGE, unless an installed copy is tested
_NOT_OURS = {"build", "dist", "demo", "node_modules"}


def files(*patterns, under=""):
    """Files of the repository below `under` that match, without build products and hidden folders but .ci."""
    for pattern in patterns:
        for path in sorted((REPOSITORY / under).rglob(pattern)):
            parents = path.relative_to(REPOSITORY).parts[:-1]
            hidden = any((part.startswith(".") and part != ".ci") or part == "__pycache__" for part in parents)
            if path.is_file() and not hidden and parents[:1] not in {(name,) for name in _NOT_OURS}:
                yield path


def name_of(path):
    """Path inside the repository, for messages."""
    return path.relative_to(REPOSITORY).as_posix()


def module_of(path):
    """Dotted name of a file of the package, without the package: `data.readers.hdf5`; "" is the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path):
    return ast.parse(path.read_text(), filename=str(path))


def included(path, seen=None):
    """Headers of ours that a source file reaches."""
    seen = set() if seen is None else seen
    for name in re.findall(r'#include "([^"]+)"', path.read_text()):
        for folder in (path.parent, REPOSITORY / "cpp/include"):
            header = folder / name
            if header.is_file() and header not in seen:
                seen.add(header)
                included(header, seen)
    return seen
