"""The recordings that words of a command line name."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from sermtl.corpora.files import VIDEO, walk
from sermtl.errors import UserError
from sermtl.terminal import printable


def recordings(words: Sequence[str], stdin: BinaryIO) -> Iterator[str | UserError]:
    """Each path once, in the order of the words, folders and patterns sorted within.

    A path that is nowhere is kept: reading it tells so. A folder, pattern or list without a
    recording gives an error in its place, which costs nothing else its answer.

    Args:
        words: files, folders, patterns, or ``-``.
        stdin: a path a line, for ``-``.
    """
    given: set[str] = set()
    for path in _all(words, stdin):
        if isinstance(path, UserError) or path not in given:
            yield path
        if isinstance(path, str):
            given.add(path)


def _all(words: Sequence[str], stdin: BinaryIO) -> Iterator[str | UserError]:
    for word in words:
        if word == "-":
            yield from _some(_listed(stdin), "standard input: no path")
        elif os.path.isdir(word):
            yield from _some(_below(word), f"{printable(word)}: no recording in this folder")
        elif glob.has_magic(word) and not os.path.lexists(word):
            found = sorted(glob.glob(word, recursive=True))
            files = (file for file in found if not os.path.isdir(file))
            yield from _some(files, f"{printable(word)}: no file fits this pattern")
        else:
            yield word


def _some(paths: Iterable[str | UserError], otherwise: str) -> list[str | UserError]:
    return list(paths) or [UserError(otherwise)]


def _listed(stdin: BinaryIO) -> Iterator[str | UserError]:
    """The lines, decoded as names of files are, whatever the terminal's encoding."""
    content = b""
    while block := stdin.read(1 << 16):
        content += block
        if b"\0" in block:  # no path has it; this may be endless
            yield UserError("standard input: no list of paths, a path a line, but other data")
            return
    for line in content.split(b"\n"):
        if line.strip():
            yield os.fsdecode(line.rstrip(b"\r"))


def _below(folder: str) -> Iterator[str | UserError]:
    """Files below a folder whose names are those of recordings."""
    import soundfile

    from sermtl.data.ffmpeg import ENDINGS

    endings = {f".{name.lower()}" for name in soundfile.available_formats()}
    endings |= {".opus", ".oga", ".aif", ".sph", *ENDINGS, *VIDEO}
    refused: list[OSError] = []
    for file in sorted(walk(Path(folder), refused.append)):
        if file.suffix.lower() in endings - {".raw"} and not file.name.startswith("."):
            yield str(file)
    for error in refused:
        yield UserError(f"{printable(error.filename)}: can't be read ({error.strerror})")
