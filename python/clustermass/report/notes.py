"""Explanations that people write for a report: Markdown or JSON in, safe HTML out."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import FileFormatError

MAX_BYTES = 1_000_000
GENERAL = ""  #: name of the notes before the first heading


def read_notes(path: Path) -> dict[str, str]:
    """Notes by the estimator they are about.

    A Markdown file has a heading ``## m-sigma (pure)`` above the notes on each estimator, as tables name it; what comes
    before the first belongs to the whole report. A JSON file is one object, name to text.

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If the file is longer than 1 MB, not UTF-8, or not such an object.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.stat().st_size > MAX_BYTES:
        raise FileFormatError(f"{path}: notes have at most {MAX_BYTES} bytes, got {path.stat().st_size}")
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".json":
            return _from_json(text, path)
    except (UnicodeDecodeError, ValueError, RecursionError) as exc:
        raise FileFormatError(f"{path}: not readable notes: {exc}") from exc
    notes: dict[str, str] = {}
    for name, part in re.findall(r"(?ms)^##\s+([^\n]+)\n(.*?)(?=^##\s|\Z)", "## \x00\n" + text.replace("\x00", "")):
        key = GENERAL if name.strip() == "\x00" else name.strip()
        if body := re.sub(r"(?m)^#\s+.*$", "", part).strip():
            notes[key] = body
    return notes


def _from_json(text: str, path: Path) -> dict[str, str]:
    found = json.loads(text)
    if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
        raise FileFormatError(f"{path}: notes must be one JSON object of texts by estimator")
    return {str(key): value for key, value in found.items()}


def to_html(text: str) -> str:
    """Paragraphs, lists with ``-``, ``**bold**`` and ```code```; everything else is shown as it stands."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.splitlines()
        if lines and all(line.startswith(("- ", "  ")) for line in lines):
            items = re.split(r"(?m)^- ", block)[1:]
            blocks.append("<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>")
        elif block:
            blocks.append(f"<p>{_inline(block)}</p>")
    return "\n".join(blocks)


def _inline(text: str) -> str:
    safe = html.escape(" ".join(text.split()), quote=True)
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe)
