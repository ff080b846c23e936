"""The recordings that words of a command line name."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from sermtl.corpora.files import VIDEO, walk
from sermtl.errors import UserError


def recordings(words: Sequence[str], stdin: TextIO) -> Iterator[str]:
    """Each path once, in the order of the words, folders and patterns sorted within.

    A path that is nowhere is kept: reading it tells so.

    Args:
        words: files, folders, patterns, or ``-``.
        stdin: a path a line, for ``-``.

    Raises:
        UserError: if a folder or the list has no recording, or a pattern fits none.
    """
    given: set[str] = set()
    for path in _all(words, stdin):
        if path not in given:
            given.add(path)
            yield path


def _all(words: Sequence[str], stdin: TextIO) -> Iterator[str]:
    for word in words:
        if word == "-":
            lines = [line.rstrip("\r\n") for line in stdin]
            yield from _some((line for line in lines if line.strip()), "standard input: no path")
        elif os.path.isdir(word):
            yield from _some(_below(word), f"{word}: no recording in this folder")
        elif glob.has_magic(word) and not os.path.exists(word):
            files = (
                file for file in sorted(glob.glob(word, recursive=True)) if os.path.isfile(file)
            )
            yield from _some(files, f"{word}: no file fits this pattern")
        else:
            yield word


def _some(paths: Iterable[str], otherwise: str) -> list[str]:
    found = list(paths)
    if not found:
        raise UserError(otherwise)
    return found


def _below(folder: str) -> Iterator[str]:
    """Files below a folder whose names are those of recordings."""
    import soundfile

    endings = {f".{name.lower()}" for name in soundfile.available_formats()}
    endings |= {".mp3", ".opus", ".oga", ".aif", ".m4a", ".webm", *VIDEO}
    for file in sorted(walk(Path(folder))):
        if file.suffix.lower() in endings - {".raw"} and not file.name.startswith("."):
            yield str(file)
