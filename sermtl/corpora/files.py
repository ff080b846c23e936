"""Finding a corpus's files, whose names tell what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sermtl.errors import UserError

AUDIO = (".wav", ".flac")
VIDEO = (".avi", ".mp4", ".mkv", ".mov")


def files_below(
    root: str, option: str, what: str, pattern: str = "*", suffixes: Iterable[str] = AUDIO
) -> dict[str, Path]:
    """The corpus's files, sorted, by name without suffix.

    Args:
        root: folder of the corpus, at whatever depth its own folders begin.
        option: name of the recipe's option that gave ``root``, for messages.
        what: the files looked for, for messages.
        pattern: of ``Path.rglob``.
        suffixes: in small letters; capitals count as the same.

    Raises:
        UserError: if there are none, or a name is there twice.
    """
    folder = Path(root).resolve()  # so that a run from another folder finds its work done
    found: dict[str, Path] = {}
    for file in sorted(folder.rglob(pattern)):
        # "._name" is what macOS leaves beside "name" on other file systems.
        if file.suffix.lower() not in suffixes or file.name.startswith("._"):
            continue
        if file.stem in found:
            raise UserError(
                f"{file} is also at {found[file.stem]}: give the folder of one copy of the corpus"
            )
        found[file.stem] = file
    if not found:
        raise UserError(f"no {what} below {folder}: is --{option} right?")
    return found
