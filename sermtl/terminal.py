"""What people see on a terminal: tables, and colours where they help."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TextIO

UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode's controls, surrogates and line separators
CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def coloured(stream: TextIO) -> bool:
    """Whether to colour: on terminals, unless ``NO_COLOR`` (no-color.org) says otherwise."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def style(text: str, name: str, stream: TextIO | None = None) -> str:
    """``text`` in one of `CODES`, for a stream that shows colours; else as it is."""
    return f"\033[{CODES[name]}m{text}\033[0m" if coloured(stream or sys.stdout) else text


def printable(text: str) -> str:
    """A file's name, say, on one line: control characters and bytes that aren't UTF-8 escaped."""
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in UNPRINTABLE else c
        for c in text
    )


def writable(text: str) -> str:
    r"""What UTF-8 can hold: other bytes of a file's name become ``\udcXX``, as in JSON."""
    return text.encode(errors="backslashreplace").decode()


def width(text: str) -> int:
    """Columns that a terminal shows ``text`` in."""
    marks = sum(unicodedata.combining(c) > 0 for c in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(c) in "WF" for c in text)


def columns(rows: Iterable[Sequence[object]], right: Sequence[int] = ()) -> str:
    """Rows of equal length as lines of aligned columns; those numbered in ``right`` flush right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]

    def padded(i: int, text: str) -> str:
        space = " " * (widths[i] - width(text))
        return space + text if i in right else text + space

    return "\n".join(
        "  ".join(padded(i, text) for i, text in enumerate(row)).rstrip() for row in cells
    )
