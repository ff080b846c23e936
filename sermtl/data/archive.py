"""Kaldi archives: many arrays in one file, each found by its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import kaldiio


def append(stream: BinaryIO, archive: Path, utt_id: str, content: Any, **options: Any) -> str:
    """Add an entry to an archive that is being written, and tell its place for ``*.scp`` files.

    Args:
        stream: open for writing at its end.
        archive: the archive's final name.
        utt_id: key of the entry.
        content: an array, or ``(rate, samples)``.
        options: of ``kaldiio.save_ark``.

    Returns:
        ``archive:offset``; the entry begins behind the key and a space.
    """
    place = f"{archive.absolute()}:{stream.tell() + len(utt_id.encode()) + 1}"
    kaldiio.save_ark(stream, {utt_id: content}, **options)
    return place
