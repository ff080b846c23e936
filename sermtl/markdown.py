"""Tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Text in columns, all but the first flush right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    lines = [_row(header), "| " + " | ".join(rule) + " |", *map(_row, rows)]
    return "\n".join(lines)


def plain(text: str) -> str:
    """Text that comes from elsewhere, such as a label, so that it shows as what it is."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
