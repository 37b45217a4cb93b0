"""What documents and docstrings promise: examples run, links lead somewhere, public functions say everything."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import shlex

import pytest

import clustermass
from clustermass import datasets
from clustermass.cli.main import COMMANDS, run

from .tree import REPOSITORY, files, module_of, name_of

FUNCTIONS = [name for name in clustermass.__all__ if inspect.isfunction(getattr(clustermass, name))]
CLASSES = [name for name in clustermass.__all__ if inspect.isclass(getattr(clustermass, name))]
DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
MODULES = sorted({module_of(p) for p in files("*.py", under="python/clustermass")} - {"", "__main__"})


def sections(text):
    return set(re.findall(r"^(\w[\w ]*)\n-{3,}$", inspect.cleandoc(text), re.MULTILINE))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions_say_everything(name):
    function = getattr(clustermass, name)
    signature = inspect.signature(function)
    wanted = {"Raises", "Examples"}
    wanted |= {"Parameters"} if signature.parameters else set()
    wanted |= {"Returns"} if signature.return_annotation != "None" else set()
    text = inspect.getdoc(function) or ""
    assert wanted <= sections(text), f"{name} lacks {sorted(wanted - sections(text))}"
    documented = set(re.findall(r"^\*{0,2}(\w[\w, ]*)(?: :.*)?\n    ", text, re.MULTILINE))
    named = {word.strip() for group in documented for word in group.split(",")}
    assert set(signature.parameters) <= named, f"{name} does not document {set(signature.parameters) - named}"


@pytest.mark.parametrize("name", CLASSES)
def test_public_classes_say_what_they_hold(name):
    assert sections(inspect.getdoc(getattr(clustermass, name)) or "") & {"Parameters", "Attributes"} or re.search(
        r"#: ", inspect.getsource(getattr(clustermass, name))
    )


NEED_TORCH = (
    "ops._torch",
    "features.batches",
    "models.networks.",
    "training.loop",
    "training.members",
    "training.map_inputs",
    "interpretation.attribution",
)


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module, tmp_path, monkeypatch):
    if module.startswith("ops._numba"):
        pytest.importorskip("numba")
    if module == "models.networks.heads":
        pytest.importorskip("zuko", reason="zuko is not installed")
    if module.startswith(NEED_TORCH):
        pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.chdir(tmp_path)
    found = importlib.import_module(f"clustermass.{module}")
    assert "+SKIP" not in inspect.getsource(found), "an example that does not run may be wrong"
    assert doctest.testmod(found).failed == 0


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


WITH_PYTHON = [path for path in DOCUMENTS if blocks(path, "python")]
WITH_SHELL = [path for path in DOCUMENTS if blocks(path, "sh")]


@pytest.mark.parametrize("path", WITH_PYTHON, ids=name_of)
def test_python_examples_of_documents_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, block in enumerate(blocks(path, "python"), 1):
        if "import torch" in block:
            pytest.importorskip("torch", reason="torch is not installed: the examples before this one ran")
        exec(compile(block, f"{path.name}, example {number}", "exec"), names)


def shell_words(path):
    for block in blocks(path, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


@pytest.mark.parametrize("path", WITH_SHELL, ids=name_of)
def test_commands_of_documents_run(path, tmp_path, monkeypatch, capsys):
    """`clustermass` commands run on the sample; targets of `make` exist."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "snapshot.hdf5").symlink_to(datasets.sample_snapshot())
    (tmp_path / "groups.hdf5").symlink_to(datasets.sample_groups())
    targets = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    for words in shell_words(path):
        if words[0] == "clustermass" and "--help" not in words:
            assert words[1] in COMMANDS
            assert run(words[1:]) == 0, (words, capsys.readouterr().err)
        if words[0] == "make":
            assert set(words[1:]) <= targets, words


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_and_named_files_exist(path):
    text = path.read_text()
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    missing = [link for link in links if not (path.parent / link).exists()]
    named = re.findall(r"`((?:cpp|cuda|python|tests|docs|cmake|benchmarks)/[\w./-]+\.\w+)`", text)
    missing += [name for name in named if not (REPOSITORY / name).exists()]
    assert not missing, missing


def test_documents_name_only_commands_options_and_names_that_exist():
    known = set(clustermass.__all__) | set(vars(clustermass))
    for path in DOCUMENTS:
        unknown = set(re.findall(r"\bcm\.(\w+)", path.read_text())) - known
        assert not unknown, (name_of(path), unknown)


def test_comments_name_tests_and_documents_that_exist():
    sources = [*files("*.py", "*.hpp", "*.cpp", "*.cu", "*.cuh", "*.cmake", "CMakeLists.txt")]
    missing = {
        f"{name_of(path)}: {name}"
        for path in sources
        for name in re.findall(r"\b((?:tests|docs)/[\w/]+\.(?:py|md|cpp))\b", path.read_text())
        if not (REPOSITORY / name).exists() and path.parent.name != "meta"
    }
    assert not missing, missing
