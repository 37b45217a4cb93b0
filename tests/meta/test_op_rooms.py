"""Every op has its files: one stem in every room."""

from __future__ import annotations

import re

import pytest

from .tree import PACKAGE, REPOSITORY, included

OPS = sorted(path.stem for path in (PACKAGE / "ops").glob("*.py") if not path.stem.startswith("_"))
ROOMS = {
    "definition": "tests/reference/{op}.py",
    "public function": "python/clustermass/ops/{op}.py",
    "numba twin": "python/clustermass/ops/_numba/{op}.py",
    "binding": "cpp/bindings/bind_{op}.cpp",
    "op header": "cpp/include/clustermass/ops/{op}.hpp",
    "partition and dispatch": "cpp/src/{op}.cpp",
    "hot loops": "cpp/src/{op}_loops.cpp",
    "tests": "tests/ops/test_{op}.py",
    "benchmark": "benchmarks/bench_{op}.py",
}
MATH = sorted(path.stem for path in (REPOSITORY / "cpp/include/clustermass/math").glob("*.hpp"))


def test_there_are_ops():
    assert {"beam", "project", "views"} <= set(OPS)


@pytest.mark.parametrize("op", OPS)
def test_no_file_of_an_op_is_missing(op):
    missing = [f"{what}: {path.format(op=op)}" for what, path in ROOMS.items()
               if not (REPOSITORY / path.format(op=op)).is_file()]  # fmt: skip
    assert not missing, missing


@pytest.mark.parametrize("op", OPS)
def test_the_formula_of_an_op_is_in_math(op):
    sources = [REPOSITORY / f"cpp/src/{op}.cpp", REPOSITORY / f"cpp/src/{op}_loops.cpp"]
    headers = set().union(*(included(path) for path in sources))
    assert any(header.parent.name == "math" for header in headers)


@pytest.mark.parametrize("header", MATH)
def test_every_math_header_has_a_cpp_test(header):
    assert (REPOSITORY / f"tests/cpp/test_{header}.cpp").is_file()
    assert f"clustermass_add_test({header})" in (REPOSITORY / "tests/cpp/CMakeLists.txt").read_text()


@pytest.mark.parametrize("op", OPS)
def test_an_op_is_registered_once(op):
    module = (REPOSITORY / "cpp/bindings/module.cpp").read_text()
    assert len(re.findall(rf"\bbindings::bind_{op}\(m\);", module)) == 1
    build = (REPOSITORY / "cpp/CMakeLists.txt").read_text()
    for source in (f"src/{op}.cpp", f"src/{op}_loops.cpp", f"bindings/bind_{op}.cpp"):
        assert len(re.findall(rf"\b{re.escape(source)}\b", build)) == 1, source
