"""Turn the words of the command line into values; every error says what was expected and names the nearest match."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Collection

from ..errors import DomainError

_SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def nearest(word: str, allowed: Collection[str], option: str) -> str:
    """`word` if it is allowed, else an error that names the nearest allowed word."""
    if word in allowed:
        return word
    close = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.4)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise DomainError(f"{option} knows {', '.join(allowed)}, got {word!r}{hint}")


def preset_names() -> str:
    """Names of networks for a help text, by what they read."""
    from ..training.presets import PRESETS

    named = {kind: [name for name, preset in PRESETS.items() if preset.inputs == kind] for kind in ("maps", "joint")}
    galaxies = [name for name in PRESETS if name not in named["maps"] + named["joint"]]
    return (f"on galaxies {', '.join(galaxies)} (docs/networks.md); on maps {', '.join(named['maps'])}; on both "
            f"{', '.join(named['joint'])} (docs/map-networks.md)")  # fmt: skip


def to_float(text: str, option: str) -> float:
    """A number, or an error that names the option."""
    try:
        return float(text)
    except ValueError:
        raise DomainError(f"{option} needs a number, got {text!r}") from None


def word_list(text: str, allowed: Collection[str], option: str) -> tuple[str, ...]:
    """Comma-separated allowed words, each once."""
    words = [nearest(word.strip(), allowed, option) for word in text.split(",") if word.strip()]
    if not words or len(set(words)) != len(words):
        raise DomainError(f"{option} needs names from {', '.join(allowed)}, each once, got {text!r}")
    return tuple(words)


def value_pairs(text: str, allowed: Collection[str], option: str) -> dict[str, float]:
    """``name=value,name=value`` as a dictionary; the word ``none`` sets every name to 0."""
    if text.strip().lower() == "none":
        return dict.fromkeys(allowed, 0.0)
    pairs: dict[str, float] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = item.partition("=")
        if not equals:
            raise DomainError(f"{option} needs name=value pairs or 'none', got {item!r}")
        pairs[nearest(name.strip(), allowed, option)] = to_float(value, f"{option} {name}")
    return pairs


def number_range(text: str, option: str) -> tuple[float, float]:
    """``0.05`` or ``0.03-0.07`` as (low, high)."""
    try:
        return float(text), float(text)
    except ValueError:
        low, dash, high = text.partition("-")
    if not dash:
        raise DomainError(f"{option} needs a number or a range such as 0.03-0.07, got {text!r}")
    return to_float(low, option), to_float(high, option)


def byte_size(text: str, option: str) -> int:
    """``256M``, ``1.5G``, ``1GiB`` or plain bytes."""
    plain = text.strip().lower().removesuffix("b").removesuffix("i")
    unit = plain[-1:] if plain[-1:] in _SIZES else ""
    size = to_float(plain.removesuffix(unit), option) * _SIZES[unit]
    if not 0 < size < 2**63:
        raise DomainError(f"{option} needs a size above zero such as 512M or 2G, got {text!r}")
    return int(size)


def view_list(words: list[str], named: Collection[str]) -> tuple[list[str | tuple[float, float, float]], int]:
    """Fixed lines of sight (names or vectors) and the number of random ones.

    Each word is a name, names with commas, ``random:N``, or a vector ``1,-1,0`` (brackets allowed).
    """
    fixed: list[str | tuple[float, float, float]] = []
    n_random = 0
    for word in words:
        parts = [part.strip() for part in word.strip("()[] ").split(",")]
        if len(parts) == 3 and all(_is_number(part) for part in parts):
            x, y, z = (float(part) for part in parts)
            fixed.append((x, y, z))
            continue
        for part in filter(None, parts):
            if part.startswith("random:"):
                count = part.removeprefix("random:")
                if not count.isdigit():
                    raise DomainError(f"--views random:N needs a whole number, got {part!r}")
                n_random += int(count)
            else:
                fixed.append(nearest(part, [*named, "random:N"], "--views"))
    return fixed, n_random


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """What `train` and `tune` are told alike: which galaxies, where, with how many threads."""
    parser.add_argument("--kind", default="contaminated", choices=("contaminated", "pure"), help="galaxies to "
                        "train on: all that a survey sees, with interlopers (contaminated), or members alone (pure)"
                        )  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--threads", type=int, default=cores, metavar="N", help="threads that make density grids (all cores)"
    )


def column_words(words: list[str], option: str) -> dict[str, object]:
    """A column map of words QUANTITY=COLUMN[,UNIT[,MISSING...]]; a column may be a number from 1, or - for none."""
    made: dict[str, object] = {}
    for word in words:
        name, equals, rest = word.partition("=")
        if not (equals and name and rest):
            raise DomainError(f"{option} must be QUANTITY=COLUMN[,UNIT[,MISSING...]], got {word!r}")
        column, *more = rest.split(",")
        if column == "-":
            made[name] = None
            continue
        source: str | int = int(column) if column.isdigit() else column
        unit = more[0] if more and more[0] else None
        missing = [to_float(mark, option) for mark in more[1:]]
        made[name] = (source, unit, missing) if missing else source if unit is None else (source, unit)
    return made


def settings(words: list[str], option: str) -> dict[str, object]:
    """Settings NAME=VALUE: whole numbers, numbers, true, false, none, or text."""
    plain = {"true": True, "false": False, "none": None}
    made: dict[str, object] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (equals and name.isidentifier()):
            raise DomainError(f"{option} must be NAME=VALUE, got {word!r}")
        if text.lower() in plain:
            made[name] = plain[text.lower()]
        elif text.lstrip("+-").isdigit():
            made[name] = int(text)
        else:
            made[name] = float(text) if _is_number(text) else text
    return made
