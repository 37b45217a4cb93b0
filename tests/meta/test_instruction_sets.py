"""Loops compiled for wide instruction sets leave nothing that the linker may share with other processors.

An inline function that the compiler does not inline is emitted as a weak symbol. Of several copies the linker keeps
one: it could be the AVX-512 copy, and a processor without AVX-512 would die on it, in code that never asked for it.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess

import pytest

from .tree import REPOSITORY, included, name_of

LOOPS = sorted((REPOSITORY / "cpp/src").glob("*_loops.cpp"))
AVX512 = ["-march=x86-64-v4", "-mprefer-vector-width=512", "-O3", "-fno-math-errno", "-fno-trapping-math"]

pytestmark = pytest.mark.skipif(
    shutil.which("nm") is None or platform.machine() not in {"x86_64", "AMD64"},
    reason="needs nm and an x86-64 machine: elsewhere the loops are compiled once",
)


def weak_symbols(path):
    """Symbols that an object file offers to everyone but lets the linker choose the definition of."""
    lines = subprocess.run(["nm", "-C", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    return [line for line in lines.splitlines() if re.search(r" [WVu] ", line)]


def built_objects():
    """stem -> objects of its wide builds, where a build folder without sanitizers has them up to date."""
    found = {}
    for cache in REPOSITORY.glob("build/*/CMakeCache.txt"):
        if re.search(r"CLUSTERMASS_SANITIZE:\w+=$", cache.read_text(), re.MULTILINE):
            for source in LOOPS:
                objects = list(cache.parent.glob(f"cpp/CMakeFiles/clustermass_kernels_*_avx*.dir/src/{source.name}.o"))
                newest = max(path.stat().st_mtime for path in (source, *included(source)))
                if objects and all(path.stat().st_mtime >= newest for path in objects):
                    found.setdefault(source.stem, []).extend(objects)
    return found


def compile_object(source, target):
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler on the PATH, and no build folder newer than the sources (make build)")
    words = [compiler, "-std=c++17", "-fPIC", "-c", *AVX512, "-DCM_ISA=avx512", f"-I{REPOSITORY / 'cpp/include'}"]
    done = subprocess.run([*words, source, "-o", target], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def test_the_check_sees_a_weak_symbol(tmp_path):
    source = tmp_path / "weak.cpp"
    source.write_text("inline int shared(int x) { return x + 1; }\nint (*address)(int) = &shared;\n")
    assert weak_symbols(compile_object(source, tmp_path / "weak.o"))


def test_wide_loops_have_no_weak_symbols(tmp_path):
    objects = built_objects()
    stale = [path for path in LOOPS if path.stem not in objects]
    if not objects:  # nothing is built here: one file stands for all
        stale = [min(LOOPS, key=lambda path: path.stat().st_size)]
    for path in stale:
        objects[path.stem] = [compile_object(path, tmp_path / f"{path.stem}.o")]
    bad = {str(path): found for paths in objects.values() for path in paths if (found := weak_symbols(path))}
    assert not bad, bad


@pytest.mark.parametrize("path", LOOPS, ids=lambda path: path.stem)
def test_loops_are_written_for_several_instruction_sets(path):
    text = path.read_text()
    assert re.search(r"namespace (clustermass::ops::)?CM_ISA \{", text), name_of(path)
    assert not re.search(r"\bstd::(vector|string|function|map|set|sort|unique_ptr|deque)\b", text), name_of(path)
