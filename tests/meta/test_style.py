"""Sizes, forbidden words and local paths."""

from __future__ import annotations

import ast
import re

import pytest

from .tree import files, name_of, parsed

MAX_LINES, MAX_FUNCTION = 400, 60
PYTHON = [*files("*.py", "*.pyi", under="python"), *files("*.py", under="benchmarks")]
NATIVE = [
    *files("*.cpp", "*.hpp", "*.cu", "*.cuh", under="cpp"),
    *files("*.cpp", "*.hpp", "*.cu", "*.cuh", under="cuda"),
]
CODE = PYTHON + NATIVE
TESTS = list(files("*.py", "*.cpp", "*.hpp", "*.cu", under="tests"))
TEXT = [*CODE, *TESTS, *files("*.md", "*.toml", "*.txt", "*.cmake", "*.json", "*.yaml", "*.cff", "Makefile", "run")]


def test_files_are_short():
    long = {name_of(path): n for path in CODE if (n := len(path.read_text().splitlines())) > MAX_LINES}
    assert not long, f"split by idea: {long}"


def python_functions(path):
    """(name, lines without the docstring and the signature's own) of every function."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            yield node.name, (body[-1].end_lineno - body[0].lineno + 1) if body else 0


def test_python_functions_are_short():
    long = [(name_of(p), name, n) for p in PYTHON for name, n in python_functions(p) if n > MAX_FUNCTION]
    assert not long, long


def without_comments(text):
    """C++ text with comments, preprocessor lines, strings and characters blanked out, line breaks kept."""
    token = r'^#[^\n]*|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\''
    return re.sub(token, lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL | re.MULTILINE)


def cpp_blocks(text):
    """(header, lines) of every braced block that is not a namespace, a type, a list of values or extern."""
    text = without_comments(text)
    open_blocks, start = [], 0
    for at, char in enumerate(text):
        if char == "{":
            open_blocks.append((" ".join(text[start:at].split()), at))
        if char == "}" and open_blocks:
            header, begin = open_blocks.pop()
            if "(" in header and not re.match(r"(template <.*> )?(namespace|struct|class|union|enum)\b", header):
                yield header, text.count("\n", begin, at) + 1
        if char in "{};":
            start = at + 1


def test_cpp_functions_are_short():
    long = [
        (name_of(path), header[-60:], n)
        for path in NATIVE
        for header, n in cpp_blocks(path.read_text())
        if n > MAX_FUNCTION
    ]
    assert not long, long


def test_the_measure_of_cpp_functions_works():
    body = "    x += 1;\n" * 70
    text = f"namespace a {{\nstruct B {{\n  int f(int x) const {{\n{body}  }}\n}};\n}}  // namespace a\n"
    assert [n > MAX_FUNCTION for _, n in cpp_blocks(text)] == [True]


FORBIDDEN = {
    "objects that run code when read": r"\bpickle\b|allow_pickle\s*=\s*True|torch\.save\(|\bjoblib\b|\bdill\b",
    "evaluated text": r"(?<![\w.])(eval|exec)\(",
    "unfinished work": "|".join(["TO" + "DO", "FIX" + "ME", r"\bX{3}\b", r"raise NotImplemented"]),
    "errors that vanish": r"except( Exception)?:\s*pass\b",
    "fast mathematics": r"-ffast-math|-Ofast|fastmath\s*=\s*True",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_forbidden_words_are_absent(what):
    bad = [
        f"{name_of(path)}:{number}"
        for path in CODE
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(FORBIDDEN[what], line)
    ]
    assert not bad, f"{what}: {bad}"


def test_no_local_paths():
    local = re.compile(r"(^|[^A-Za-z0-9_.}])/(work|farm|root|home/\w+|tmp/wt)/")
    bad = [
        f"{name_of(path)}:{number}"
        for path in TEXT
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if local.search(line)
    ]
    assert not bad, bad


def test_asserts_are_not_how_arguments_are_checked():
    """`assert` is gone under -O: in the package it may state what the code itself guarantees, with the reason."""
    bad = []
    for path in files("*.py", under="python"):
        lines = path.read_text().splitlines()
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Assert) and "#" not in lines[node.lineno - 1]:
                bad.append(f"{name_of(path)}:{node.lineno}")
    assert not bad, bad
