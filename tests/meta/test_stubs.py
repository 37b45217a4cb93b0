"""The stub, the extension and the numba twins have the same functions with the same arguments."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest

from tests import device

from .tree import PACKAGE, files, parsed

STUBS = [path for path in (PACKAGE / "_core.pyi", PACKAGE / "_cuda.pyi") if path.is_file()]


def arguments(node):
    return [a.arg for a in node.args.args], [a.arg for a in node.args.kwonlyargs]


def stub_functions(path):
    return {node.name: node for node in parsed(path).body if isinstance(node, ast.FunctionDef)}


def load(path):
    name = f"clustermass.{path.stem}"
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        if path.stem == "_core":
            raise
        emulated = device.emulated_extension()  # the same bindings
        if not isinstance(emulated, ImportError):
            return emulated
        pytest.skip(f"{name} is optional and not built ({exc}); building it needs nvcc")


def native_arguments(function):
    """(positional, keyword-only) names, from the signature that pybind11 puts into the first line of the docstring."""
    return arguments(ast.parse(f"def {function.__doc__.splitlines()[0]}: ...").body[0])


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.stem)
def test_stub_and_module_have_the_same_names(path):
    module = load(path)
    public = {name for name in dir(module) if not name.startswith("_")}
    assert set(stub_functions(path)) == public


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.stem)
def test_stub_and_module_have_the_same_arguments(path):
    module = load(path)
    for name, node in stub_functions(path).items():
        assert native_arguments(getattr(module, name)) == arguments(node), name


def test_twins_have_the_functions_of_the_extension():
    """Every extension function has a numba twin with the same arguments, and every twin an extension function."""
    native = stub_functions(PACKAGE / "_core.pyi")
    twins = {}
    for path in files("*.py", under="python/clustermass/ops/_numba"):
        if not path.stem.startswith("_"):
            module = importlib.import_module(f"clustermass.ops._numba.{path.stem}")
            twins |= {name: f for name, f in vars(module).items() if is_twin(name, f, native)}
    assert set(native) - {"instruction_set"} == set(twins)
    for name, function in twins.items():
        kinds = [(p.name, p.kind) for p in inspect.signature(function).parameters.values()]
        keyword_only = [n for n, kind in kinds if kind is inspect.Parameter.KEYWORD_ONLY]
        positional = [n for n, kind in kinds if kind is not inspect.Parameter.KEYWORD_ONLY]
        assert (positional, keyword_only) == arguments(native[name]), name


def is_twin(name, value, native):
    return inspect.isfunction(value) and (name in native or name.endswith(("_f32", "_f64"))) and name[0] != "_"
