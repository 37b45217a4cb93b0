"""The command line: exit codes, one-line errors, cheap help."""

import subprocess
import sys
import types
import warnings

import pytest

from clustermass import errors
from clustermass.cli import main


@pytest.fixture
def command(monkeypatch):
    """Install a command `try` that does what the test says."""

    def install(action):
        module = types.SimpleNamespace(
            add_arguments=lambda parser: parser.add_argument("word", nargs="?"), execute=lambda args: action(args) or 0
        )
        monkeypatch.setattr(main, "COMMANDS", {"try": "a command of the test"})
        monkeypatch.setattr(main, "_load", lambda name: module)

    return install


def raiser(exc):
    def action(args):
        raise exc

    return action


def test_runs_the_command_with_its_arguments(command, capsys):
    command(lambda args: print(args.word))
    assert main.run(["try", "hello"]) == 0
    assert capsys.readouterr().out == "hello\n"


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (errors.DomainError("`depth` must be > 0, got -1"), 2),
        (errors.MissingDependencyError("pip install 'clustermass[plot]'"), 2),
        (FileNotFoundError(2, "No such file or directory", "a.hdf5"), 2),
        (errors.FileFormatError("a.hdf5: damaged"), 3),
        (errors.MissingFieldError("a.hdf5: no masses"), 3),
        (OSError(28, "No space left on device"), 3),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_code_and_one_line(command, capsys, exc, code):
    command(raiser(exc))
    assert main.run(["try"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("clustermass: error: ")
    assert err.count("\n") == 1


def test_bug_keeps_its_traceback(command):
    command(raiser(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        main.run(["try"])


def test_data_warning_is_one_line(command, capsys):
    command(lambda args: warnings.warn("assumed h = 0.7", errors.DataWarning, stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main.run(["try"]) == 0
    assert capsys.readouterr().err == "clustermass: warning: assumed h = 0.7\n"


@pytest.mark.parametrize("argv", [[], ["no-such-command"], ["--no-such-option"]])
def test_wrong_command_line_is_a_usage_error(argv, capsys):
    with pytest.raises(SystemExit) as exit_:
        main.run(argv)
    assert exit_.value.code == 2
    assert "usage: clustermass" in capsys.readouterr().err


def test_help_names_every_command_and_loads_nothing_heavy():
    code = (
        "import sys\nfrom clustermass.cli import main\n"
        "try:\n    main.run(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'h5py', 'astropy', 'numba', 'torch', 'matplotlib'} & set(sys.modules)\n"
        "print('loaded', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded []"
    for name, summary in main.COMMANDS.items():
        assert name in done.stdout
        assert summary.split()[0] in done.stdout


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as exit_:
        main.run([name, "--help"])
    assert exit_.value.code == 0
    assert f"usage: clustermass {name}" in capsys.readouterr().out


def test_module_runs_as_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "clustermass", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("clustermass ")
