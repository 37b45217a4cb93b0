"""The `clustermass` command: finds the sub-command, runs it, turns errors into one line and an exit code.

Exit codes: 0 done, 2 the command line or an option is wrong, 3 the data are bad, 130 stopped with Ctrl-C. A command may
have more: 1 of `mock check`, where a check is not met; 4 of `maps`, `train`, `tune`, `evaluate`, not all was done.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Protocol, TextIO, cast

from .. import __version__
from ..errors import (
    BackendUnavailableError,
    ClusterMassError,
    ClusterMassWarning,
    DomainError,
    DTypeError,
    MissingDependencyError,
    UnitError,
)

EXIT_OK, EXIT_USAGE, EXIT_BAD_DATA, EXIT_INTERRUPTED = 0, 2, 3, 130

# command -> one line of help. The command lives in the module of the same name in this package; it has
# `add_arguments(parser)` and `execute(args) -> exit code`, and is imported only when it is the one asked for.
COMMANDS: dict[str, str] = {
    "info": "say what a snapshot, a catalogue or a file of clustermass is, holds and lacks",
    "maps": "make observed maps of the clusters in a simulation snapshot",
    "catalog": "observe the clusters of a halo catalogue, with and without interlopers",
    "predict": "masses of clusters in a table of galaxies or of clusters, with intervals and flags",
    "grids": "make phase-space grids of a file of cluster observations",
    "train": "train a network on observations of clusters of known mass",
    "tune": "search better settings of a network on observations of clusters of known mass",
    "evaluate": "test estimators of mass on observations of clusters of known mass",
    "report": "make tables, figures and one page of an evaluation",
    "explain": "show what a network looks at in the maps or galaxies of clusters",
    "preview": "draw some clusters of a file of maps or of cluster observations",
    "mock": "make a universe of haloes and galaxies, or check one against published relations",
    "demo": "the whole story on generated data: a universe, clusters, masses, one page",
}


class Command(Protocol):
    """What the module of a command offers."""

    add_arguments: Callable[[argparse.ArgumentParser], None]
    execute: Callable[[argparse.Namespace], int]


def _load(name: str) -> Command:
    return cast(Command, importlib.import_module(f".{name}", __package__))


def _parse(words: list[str]) -> argparse.Namespace:
    """The command line; an unknown option ends the process with a message that names the nearest one."""
    chosen = next((word for word in words if not word.startswith("-")), None)
    parser, options = _parser(chosen)
    args, unknown = parser.parse_known_args(words, argparse.Namespace(words=words))
    if unknown:
        close = [difflib.get_close_matches(word.partition("=")[0], options, n=1) for word in unknown]
        hint = "".join(f"; did you mean {match[0]}?" for match in close if match)
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    return args


def _parser(chosen: str | None) -> tuple[argparse.ArgumentParser, list[str]]:
    """The parser, with the arguments of the chosen command, and the names of its options."""
    parser = argparse.ArgumentParser(
        prog="clustermass",
        description="Simulation snapshots into maps and catalogues of galaxy clusters.",
        epilog="`clustermass COMMAND --help` explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"clustermass {__version__}")
    options: list[str] = []
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            _load(name).add_arguments(sub)
            options = _options(sub)
    return parser, options


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """Names of the options of a command and of its actions."""
    words = [word for action in parser._actions for word in action.option_strings]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            words += [word for sub in action.choices.values() for word in _options(sub)]
    return words


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if issubclass(category, ClusterMassWarning):
        print(f"clustermass: warning: {message}", file=file or sys.stderr)
    else:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        (file or sys.stderr).write(text)


def _fail(exc: BaseException, code: int) -> int:
    message = " ".join(str(exc).split()) or type(exc).__name__
    print(f"clustermass: error: {message}", file=sys.stderr)
    return code


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after `clustermass`; those of the process when left out.

    Returns
    -------
    int
        The exit code: 0, 2, 3 or 130. Only --help, --version and a wrong command line raise SystemExit (0, 0, 2).

    Examples
    --------
    >>> run(["info", "no-such-file"])
    2
    """
    words = list(sys.argv[1:] if argv is None else argv)
    args = _parse(words)
    usage = (DomainError, UnitError, DTypeError, BackendUnavailableError, MissingDependencyError)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return _load(args.command).execute(args)
    except usage as exc:
        return _fail(exc, EXIT_USAGE)
    except ClusterMassError as exc:
        return _fail(exc, EXIT_BAD_DATA)
    except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError) as exc:
        return _fail(exc, EXIT_USAGE)
    except BrokenPipeError:
        # the reader of our output has gone (`... | head`): not our failure; keep the interpreter from complaining
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except OSError as exc:
        return _fail(exc, EXIT_BAD_DATA)
    except KeyboardInterrupt:
        return _fail(KeyboardInterrupt("stopped"), EXIT_INTERRUPTED)


if __name__ == "__main__":
    sys.exit(run())
