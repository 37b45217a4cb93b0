"""The lazy public names: what runs and what editors and mypy see are the same list."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys

import pytest

import clustermass

from .tree import PACKAGE, parsed


def typed_names():
    """name -> module, from the imports under `if TYPE_CHECKING:`."""
    block = next(node for node in parsed(PACKAGE / "__init__.py").body if isinstance(node, ast.If))
    assert isinstance(block.test, ast.Name)
    assert block.test.id == "TYPE_CHECKING"
    found = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name, f"`{alias.name} as {alias.name}` tells type checkers that it is public"
            found[alias.name] = node.module or ""
    return found


def test_what_runs_is_what_type_checkers_see():
    expected = clustermass._PUBLIC | dict.fromkeys(clustermass._MODULES, "")
    assert typed_names() == expected


def test_names_are_sorted():
    assert list(clustermass._PUBLIC) == sorted(clustermass._PUBLIC)


@pytest.mark.parametrize("name", clustermass.__all__)
def test_every_name_is_there(name):
    value = getattr(clustermass, name)
    if name in clustermass._PUBLIC:
        home = importlib.import_module(f"clustermass.{clustermass._PUBLIC[name]}")
        assert getattr(home, name) is value
    assert name in dir(clustermass)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'project_particle'"):
        _ = clustermass.project_particle


def test_version_is_that_of_the_installed_package():
    code = "import importlib.metadata as m; print(m.version('clustermass'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        pytest.skip("clustermass is on the path but not installed (make build)")
    assert done.stdout.strip() == clustermass.__version__
