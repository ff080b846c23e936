"""Kaldi archives: many arrays in one file, each found by its place."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import kaldiio
import numpy as np
from kaldiio.matio import read_kaldi

from sermtl.data import SAMPLE_RATE
from sermtl.data.datadir import read_column
from sermtl.errors import UserError, first_line

ARRAY = b"NPY"  # begins its entry
WAV_HEADER = 44  # bytes before a clip's samples


def append(stream: BinaryIO, archive: Path, utt_id: str, content: np.ndarray) -> str:
    """Add an entry to an archive that is being written, and tell its place for ``*.scp`` files.

    Args:
        stream: open for writing at its end.
        archive: the archive's final name.
        utt_id: key of the entry.
        content: a clip's samples ``(N,)`` int16 at 16 kHz, or any array of floats.

    Returns:
        ``archive:offset``; the entry begins behind the key and a space.
    """
    place = f"{archive.absolute()}:{stream.tell() + len(utt_id.encode()) + 1}"
    if content.dtype == np.int16:  # kaldiio's writer of clips prints tracebacks on a full disk
        stream.write(f"{utt_id} ".encode() + _wav_header(content.nbytes))
        stream.write(content.data)
    else:
        kaldiio.save_ark(stream, {utt_id: content}, write_function="numpy")
    return place


def read(place: str) -> np.ndarray:
    """An entry: a clip's samples ``(N,)`` int16 at 16 kHz, or an array.

    kaldiio's own way in would run a place that is a command (``sox … |``), and an entry that is a
    pickle; of a clip that is cut off it would read the rest.

    Args:
        place: ``archive:offset``.

    Raises:
        UserError: for any other place, and entries that are damaged or of another kind.
    """
    archive, _, offset = place.rpartition(":")
    if not archive or not offset.isdecimal():
        raise UserError(f"{place}: no place in an archive (file:offset): run stage 1 again")
    try:
        with open(archive, "rb") as stream:
            stream.seek(int(offset))
            start = stream.read(WAV_HEADER)
            if start.startswith(ARRAY):
                stream.seek(int(offset))
                return read_kaldi(stream)
            size = int.from_bytes(start[-4:], "little")
            content = stream.read(size)
    except OSError as error:
        raise UserError(
            f"{place}: can't be read ({error}): bring the file back, or run stage 1 again"
        ) from error
    except Exception as error:  # a crafted array may fail anywhere in its reader
        raise UserError(f"{place}: damaged ({first_line(error)}): run stage 1 again") from error
    if start != _wav_header(size):
        raise UserError(f"{place}: not a wav of 16 kHz, mono, 16 bit: run stage 1 again")
    if len(content) < size:
        raise UserError(f"{place}: cut off: run stage 1 again")
    return np.frombuffer(content, "<i2")


def _wav_header(size: int) -> bytes:
    """What stands before ``size`` bytes of samples."""
    fields = (size + 36, b"WAVEfmt ", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    return struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", *fields, b"data", size)


class Archives(Mapping[str, np.ndarray]):
    """The samples or arrays whose places an scp file tells, read when they are asked for.

    Args:
        scp: utterance ids and places.
    """

    def __init__(self, scp: str | Path) -> None:
        self.places = read_column(scp)

    def __getitem__(self, utt_id: str) -> np.ndarray:
        return read(self.places[utt_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)
