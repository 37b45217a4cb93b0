"""The names of clustermass.evaluation: lazy, typed, documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys

import pytest

from clustermass import evaluation
from tests.meta.test_docs import sections
from tests.meta.tree import PACKAGE, parsed


def test_what_runs_is_what_type_checkers_see():
    block = next(node for node in parsed(PACKAGE / "evaluation" / "__init__.py").body if isinstance(node, ast.If))
    typed = {alias.asname: node.module for node in block.body for alias in node.names}
    assert typed == evaluation._PUBLIC
    assert list(evaluation._PUBLIC) == sorted(evaluation._PUBLIC)


@pytest.mark.parametrize("name", evaluation.__all__)
def test_every_name_is_there_and_says_everything(name):
    value = getattr(evaluation, name)
    home = importlib.import_module(f"clustermass.evaluation.{evaluation._PUBLIC[name]}")
    assert getattr(home, name) is value
    assert name in dir(evaluation)
    if inspect.isclass(value):
        assert "Attributes" in sections(inspect.getdoc(value))
    elif inspect.isfunction(value):
        text = inspect.getdoc(value)
        assert {"Parameters", "Returns", "Raises", "Examples"} <= sections(text)
        groups = re.findall(r"^(\w[\w, ]*)(?: :.*)?\n    ", text, re.MULTILINE)
        assert set(inspect.signature(value).parameters) <= {
            word.strip() for group in groups for word in group.split(",")
        }


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'log_residual'"):
        _ = evaluation.log_residual


def test_importing_the_room_loads_nothing_heavy():
    code = "import clustermass.evaluation, sys; print([m for m in ('numpy', 'scipy', 'colossus') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
