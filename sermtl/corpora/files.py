"""Finding a corpus's files, whose names tell what is in them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from sermtl.errors import UserError

AUDIO = (".wav", ".flac")
VIDEO = (".avi", ".mp4", ".mkv", ".mov")


def files_below(
    root: str,
    option: str,
    what: str,
    pattern: str = "*",
    suffixes: Iterable[str] = AUDIO,
    key: Callable[[Path], str] = lambda file: file.stem,
) -> dict[str, Path]:
    """The corpus's files, sorted, by name without suffix.

    Args:
        root: folder of the corpus, at whatever depth its own folders begin.
        option: name of the recipe's option that gave ``root``, for messages.
        what: the files looked for, for messages.
        pattern: of the path's last parts, as for ``Path.match``.
        suffixes: in small letters; capitals count as the same.
        key: what tells files apart, where that isn't the name.

    Raises:
        UserError: if there are none, a name is there twice, or a folder can't be read.
    """
    folder = Path(root).resolve()  # so that a run from another folder finds its work done
    found: dict[str, Path] = {}
    for file in sorted(file for file in walk(folder) if file.match(pattern)):
        # "._name" is what macOS leaves beside "name" on other file systems.
        if file.suffix.lower() not in suffixes or file.name.startswith("._"):
            continue
        name = key(file)
        if name in found:
            raise UserError(
                f"{file} is also at {found[name]}: give the folder of one copy of the corpus"
            )
        found[name] = file
    if not found:
        raise UserError(f"no {what} below {folder}: is --{option} right?")
    return found


def matched(
    files: Mapping[str, Path], names: re.Pattern[str], corpus: str
) -> Iterator[tuple[Path, re.Match[str]]]:
    """Files, and what their names tell.

    Raises:
        UserError: for a name that isn't the corpus's.
    """
    for file in files.values():
        match = names.fullmatch(file.stem)
        if not match:
            raise UserError(f"{file}: not the name of a clip of {corpus}; move it elsewhere")
        yield file, match


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise UserError(f"{error.filename}: can't be read ({error.strerror})") from error


def walk(folder: Path, onerror: Callable[[OSError], None] = _refuse) -> Iterator[Path]:
    """Every file below a folder, through links as well, each folder once.

    Args:
        folder: where to begin.
        onerror: takes the error of a folder that can't be read, whose files would be missing in
            silence.

    Raises:
        UserError: for such a folder, by default.
    """
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, onerror=onerror, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(place, name) for name in names)
