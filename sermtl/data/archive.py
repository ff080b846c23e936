"""Kaldi archives: many arrays in one file, each found by its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import kaldiio
import numpy as np
from kaldiio.matio import read_kaldi

from sermtl.data import SAMPLE_RATE
from sermtl.data.datadir import read_column
from sermtl.errors import UserError, first_line

KINDS = (b"RIFF", b"NPY")  # begins of entries: a wav, an array


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


def read(place: str) -> tuple[int, np.ndarray] | np.ndarray:
    """An entry: ``(rate, samples)``, or an array.

    kaldiio's own way in would run a place that is a command (``sox … |``), and an entry that is a
    pickle.

    Args:
        place: ``archive:offset``.

    Raises:
        UserError: for any other place, and entries that are damaged or of another kind.
        OSError: if there is no such file.
    """
    archive, _, offset = place.rpartition(":")
    if not archive or not offset.isdecimal():
        raise UserError(f"{place}: no place in an archive (file:offset); commands aren't run")
    with open(archive, "rb") as stream:
        stream.seek(int(offset))
        if not stream.read(4).startswith(KINDS):
            raise UserError(f"{place}: neither a wav nor an array: run stage 1 again")
        stream.seek(int(offset))
        try:
            return read_kaldi(stream)
        except Exception as error:  # a crafted entry may fail anywhere in its reader
            raise UserError(f"{place}: damaged ({first_line(error)}): run stage 1 again") from error


class Archives(Mapping[str, np.ndarray]):
    """The samples or arrays whose places an scp file tells, read when they are asked for.

    Args:
        scp: utterance ids and places.
    """

    def __init__(self, scp: str | Path) -> None:
        self.places = read_column(scp)

    def __getitem__(self, utt_id: str) -> np.ndarray:
        entry = read(self.places[utt_id])
        if not isinstance(entry, tuple):
            return entry
        rate, samples = entry
        if rate != SAMPLE_RATE:
            raise UserError(f"{self.places[utt_id]}: {rate} Hz, not {SAMPLE_RATE}")
        return samples

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)
