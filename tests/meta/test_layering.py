"""Who may import whom: the rules of ARCHITECTURE.md, checked on the source text."""

from __future__ import annotations

import ast
import re

import pytest

from .tree import files, module_of, name_of, parsed

# room -> rooms below it that it may import. A module belongs to the longest name here that it starts with; within a
# room modules may import each other, but never in a circle.
BASE = {"errors", "units", "constants", "_validate", "cosmology", "nfw", "ragged", "_extras"}
DEVICE = {"errors", "_backend", "_device"}
TABLES = {
    "data.hdf5_tables", "data.universe_file", "data.clusters_file", "data.clusters_writer", "data.grids_file",
    "data.splits",
}  # fmt: skip
MODEL_FILES = {"data.atomic", "data.provenance"}
FILES_OUT = {"data.atomic", "data.hdf5_out", "data.maps_file", "data.maps_writer", "data.provenance"}
MAY_IMPORT = {
    "errors": set(),
    "constants": set(),
    "units": {"errors"},
    "_validate": {"errors", "units", "_device"},
    "cosmology": {"errors", "units", "_validate"},
    "ragged": set(),
    "_extras": {"errors"},
    "nfw": {"constants", "_validate", "cosmology"},
    "_colossus": {"_extras", "cosmology"},
    "_backend": {"errors"},
    "_device": {"errors", "_backend"},
    "ops": BASE | DEVICE,
    "ops._numba": set(),
    "ops._cuda": DEVICE,
    "data": set(),
    "data.schema": BASE,
    **{name: BASE | FILES_OUT - {name} for name in FILES_OUT},
    "data.universe": BASE,
    "data.hdf5_tables": BASE | {"data.hdf5_out", "data.readers"},
    "data.universe_file": BASE | {"data.hdf5_tables", "data.universe"},
    "data.splits": BASE,
    "data.cluster_sample": BASE,
    "data.map_sample": BASE | {"data.maps_file", "data.splits"},
    "data.fits_map": BASE | {"data.map_sample"},
    "data.keras_file": BASE | {"data.readers"},
    "data.clusters_file": BASE | {"data.hdf5_tables", "data.readers", "data.splits"},
    "data.grids_file": BASE | {"data.hdf5_tables", "data.readers"},
    "data.clusters_writer": BASE | {"data.hdf5_tables", "data.clusters_file"},
    "data.readers": BASE | {"data.schema"},
    "data.readers.catalogues": BASE | FILES_OUT | {"data.schema", "data.readers", "data.hdf5_tables"},
    "data.mocks": BASE | FILES_OUT | TABLES | {"_colossus", "ops", "data.schema", "data.universe"},
    "models": BASE | MODEL_FILES | {"ops", "data.cluster_sample", "data.clusters_file", "data.map_sample"},
    "models.networks": {"errors", "_extras"},
    "training": BASE
    | {"ops", "features", "evaluation", "models", "models.networks", "interpretation"}
    | {"data.splits", "data.clusters_file", "data.cluster_sample", "data.map_sample"}
    | {"data.fits_map", "data.keras_file"},
    "interpretation": BASE | {"data.map_sample"},
    "datasets": {"errors"},
    "features": BASE
    | FILES_OUT
    | TABLES
    | {"_backend", "ops", "data.schema", "data.universe", "data.readers", "data.readers.catalogues"}
    | {"data.cluster_sample"},
    "evaluation": BASE
    | MODEL_FILES
    | {"_colossus", "ops", "models", "data.universe", "data.clusters_file", "data.map_sample", "data.hdf5_tables"}
    | {"data.readers"},
    "report": BASE
    | MODEL_FILES
    | {
        "interpretation",
        "data.map_sample",
        "evaluation",
        "models",
        "data.mocks",
        "data.clusters_file",
        "data.universe_file",
    },
    "cli": BASE
    | FILES_OUT
    | TABLES
    | {"_backend", "data.schema", "data.universe", "data.readers", "data.readers.catalogues"}
    | {
        "data.cluster_sample",
        "data.fits_map",
        "data.map_sample",
        "data.mocks",
        "datasets",
        "evaluation",
        "features",
        "interpretation",
        "models",
        "ops",
        "report",
        "training",
    },
    "__main__": {"cli"},
}
SOURCES = list(files("*.py", under="python/clustermass"))


def room_of(module):
    parts = module.split(".")
    for k in range(len(parts), 0, -1):
        if ".".join(parts[:k]) in MAY_IMPORT:
            return ".".join(parts[:k])
    return None


def imports_of(path):
    """(module, line, is_at_import_time) for each module of the package that a file imports."""
    module = module_of(path)
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    package = [part for part in package if part]
    found = []

    def visit(node, at_import):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - (node.level - 1)] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                inner = ".".join([*base, alias.name])
                found.append((inner if is_source(inner) else ".".join(base), node.lineno, at_import))
        for child in ast.iter_child_nodes(node):
            is_lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_type_checking(node)
            visit(child, at_import and not is_lazy)

    visit(parsed(path), True)
    return found


def is_type_checking(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def is_source(module):
    return any(module_of(path) == module for path in SOURCES)


def test_every_module_has_a_room():
    homeless = [module_of(path) for path in SOURCES if module_of(path) and room_of(module_of(path)) is None]
    assert not homeless, f"give these a room in MAY_IMPORT, and in ARCHITECTURE.md: {homeless}"


def test_rooms_import_only_what_lies_below():
    bad = []
    for path in SOURCES:
        room = room_of(module_of(path))
        for target, line, _ in imports_of(path) if room else []:
            other = room_of(target) if target else ""  # "": the package itself, for __version__
            if other not in MAY_IMPORT[room] | {room, ""}:
                bad.append(f"{name_of(path)}:{line} ({room}) imports {target} ({other})")
    assert not bad, "\n".join(bad)


def test_the_rules_themselves_have_no_circle():
    for room, below in MAY_IMPORT.items():
        for other in below - FILES_OUT:
            assert room not in MAY_IMPORT[other], f"{room} and {other} may import each other"


def test_modules_do_not_import_each_other_in_a_circle():
    graph = {module_of(path): {name for name, _, now in imports_of(path) if now} for path in SOURCES}
    done, active = set(), []

    def visit(module):
        assert module not in active, f"circle: {' -> '.join([*active, module])}"
        if module in done:
            return
        active.append(module)
        for other in graph.get(module, set()) - {module}:
            visit(other)
        active.pop()
        done.add(module)

    for module in graph:
        visit(module)


def test_the_package_imports_itself_by_relative_names():
    bad = []
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            bad += [f"{name_of(path)}:{node.lineno}" for name in names if name.split(".")[0] == "clustermass"]
    assert not bad, bad


def words_outside_docstrings(path):
    """Imported names and string constants of a file, with their lines."""
    docstrings = {id(node.value) for node in ast.walk(parsed(path)) if isinstance(node, ast.Expr)}
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module or ''}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value, node.lineno


def test_only_backend_names_the_extension_modules_and_the_numba_twins():
    bad = [
        f"{name_of(path)}:{line}"
        for path in SOURCES
        if path.name != "_backend.py" and path.parent.name != "_numba"
        for word, line in words_outside_docstrings(path)
        if re.search(r"(^|\.)(_core|_cuda|_numba)(\.|$)", word)
    ]
    assert not bad, f"only _backend.py imports _core, _cuda or ops._numba: {bad}"


def test_only_data_units_and_the_observables_convert_units():
    """Unit sizes and astropy stay at the frontier: where data come in, and where observables are defined."""
    sizes = {"MPC_CM", "MSUN_G", "KM_S_CM_S", "ARCMIN_RAD"}
    allowed = ("units", "data", "features", "cli")
    users = {}
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            names = {node.id} if isinstance(node, ast.Name) else set()
            names |= {node.attr} if isinstance(node, ast.Attribute) else set()
            if isinstance(node, ast.ImportFrom | ast.Import):
                modules = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
                names |= {name.split(".")[0] for name in modules}
            if names & (sizes | {"astropy"}):
                users.setdefault(module_of(path), node.lineno)
    bad = [f"{module}:{line}" for module, line in users.items() if module.split(".")[0] not in allowed]
    assert not bad, f"units are converted in data/ and units.py: {bad}"


NATIVE = list(files("*.hpp", "*.cpp", "*.cu", "*.cuh", under="cpp")) + list(
    files("*.hpp", "*.cpp", "*.cu", "*.cuh", under="cuda")
)
# folder -> folders of headers that its files may include; headers beside a file are its own
MAY_INCLUDE = {
    "cpp/include/clustermass/core": {"core"},
    "cpp/include/clustermass/math": {"core", "math"},
    "cpp/include/clustermass/ops": {"core", "math", "ops"},
    "cpp/src": {"core", "math", "ops"},
    "cpp/bindings": {"core", "math", "ops"},
}


def test_native_headers_include_only_what_lies_below():
    bad = []
    for path in NATIVE:
        folder = name_of(path.parent)
        for line in path.read_text().splitlines():
            match = re.match(r'#include "clustermass/(\w+)/', line)
            if match and match[1] not in MAY_INCLUDE.get(folder, {"core", "math", "ops"}):
                bad.append(f"{name_of(path)}: {line}")
            if folder.startswith("cpp") and re.match(r'#include [<"](cuda|clustermass_cuda)', line):
                bad.append(f"{name_of(path)}: {line} (cpp/ knows nothing of CUDA)")
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize(
    ("word", "where"),
    [
        (r"pybind11", r"^(cpp|cuda)/bindings/"),
        (r"__CUDACC__", r"^cpp/include/clustermass/core/macros\.hpp$"),
        (r"Python\.h", r"^$"),
        (r"__global__|__device__|<<<", r"^(cuda/|cpp/include/clustermass/core/macros\.hpp$)"),
    ],
    ids=["pybind11", "cudacc", "python-h", "device-code"],
)
def test_words_of_one_room_stay_there(word, where):
    bad = [
        name_of(path) for path in NATIVE if re.search(word, path.read_text()) and not re.search(where, name_of(path))
    ]
    assert not bad, bad


def test_the_rules_cover_what_is_there():
    """A rule table for rooms that are gone would be a story."""
    here = {room_of(module_of(path)) for path in SOURCES if module_of(path)}
    assert set(MAY_IMPORT) <= here, set(MAY_IMPORT) - here
