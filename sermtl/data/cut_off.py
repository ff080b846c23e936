"""Whether a sound file holds all that its header promises.

Libraries take one that was cut off, by a full disk or a broken download, for a shorter one, and
don't tell. What has no length can't be checked: raw AAC and AC-3, MPEG-TS, MP3 without the frame
that most programs begin it with.
"""

from __future__ import annotations

import io
import os
import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

from sermtl.data.mp3 import told_end

SLACK = 128  # bytes: some programs count the header as audio
MOST_CHUNKS = 1000  # looked at: a file of zeros is full of empty ones
OGG_PAGE = 27 + 255 + 255 * 255  # bytes at most
NEVER_FILLED_IN = 4096  # bytes below 2 or 4 GiB: the length where a program couldn't go back to it


@dataclass(frozen=True)
class _Chunks:
    """How a file of named chunks is laid out."""

    header: str  # a chunk's name and length, as `struct` writes it
    first: int  # where the first chunk begins
    align: int  # chunks begin at multiples of this
    counted: int = 0  # bytes of a chunk's header that its length counts


CHUNKS = {
    b"RIFF": _Chunks("<4sI", 12, 2),  # WAV, AVI
    b"RF64": _Chunks("<4sI", 12, 2),
    b"BW64": _Chunks("<4sI", 12, 2),
    b"FORM": _Chunks(">4sI", 12, 2),  # AIFF
    b"caff": _Chunks(">4sq", 8, 1),
    b"riff": _Chunks("<4s12xq", 40, 8, 24),  # W64
}


def missing_bytes(stream: BinaryIO) -> int:
    """How many bytes of audio the header promises beyond the file's end.

    A header that leaves the length open, as programs write it that can't go back to fill it in,
    promises nothing.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(1024)
    if head[:4] == b"OggS":
        return max(0, _ogg_end(stream, size) - size)
    if head[:4] in CHUNKS:
        end = sum(_audio_chunk(stream, size, CHUNKS[head[:4]]))
    elif head[:4] == b".snd":
        begin, length = struct.unpack(">II", head[4:12].ljust(8, b"\0"))
        end = begin + _known(length)
    elif head[:7] == b"NIST_1A":
        end = _sphere_end(head)
    elif head[:3] == b"ID3" or head[:1] == b"\xff":
        end = told_end(stream)
    else:
        end = 0
    return end - size if end - size > SLACK else 0


def _known(length: int) -> int:
    """A length that a header tells, or 0 where it was left open."""
    left_open = length < 0 or -length % (1 << 31) <= NEVER_FILLED_IN
    return 0 if left_open else length


def filled_in(stream: BinaryIO) -> BinaryIO | None:
    """A WAV that says it has no audio, and goes on, with the true length; ``None`` for others."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if stream.read(4) != b"RIFF":
        return None
    begin, _ = _audio_chunk(stream, size, CHUNKS[b"RIFF"])
    stream.seek(0)
    content = bytearray(stream.read() if 0 < begin < size else b"")
    if content[begin - 4 : begin] != bytes(4):
        return None
    content[begin - 4 : begin] = struct.pack("<I", size - begin)
    return io.BytesIO(content)


def _audio_chunk(stream: BinaryIO, size: int, form: _Chunks) -> tuple[int, int]:
    """Where the audio begins, or 0, and its length, or 0 where that was left open."""
    header = struct.Struct(form.header)
    long_length = 0  # of RF64's audio, too long for the chunk's own header
    place = form.first
    for _ in range(MOST_CHUNKS):
        if place + header.size > size:
            break
        stream.seek(place)
        name, length = header.unpack(stream.read(header.size))
        length -= form.counted
        place += header.size
        if name == b"ds64":
            long_length = struct.unpack("<8xq", stream.read(16).ljust(16, b"\0"))[0]
        elif name in (b"data", b"SSND") or (name == b"LIST" and stream.read(4) == b"movi"):
            return place, _known(length) or _known(long_length)
        place += max(0, length)
        place += -place % form.align
    return 0, 0


def _sphere_end(head: bytes) -> int:
    """Of a NIST SPHERE file, whose header is text."""
    begin = re.match(rb"NIST_1A\n\s*(\d+)\n", head)
    fields = dict(re.findall(rb"^(\w+) -i (\d+)", head, re.MULTILINE))
    length = 1
    for name in (b"sample_count", b"sample_n_bytes", b"channel_count"):
        length *= int(fields.get(name, 0))
    packed = b"shorten" in head or b"embedded" in head
    return int(begin[1]) + length if begin and not packed else 0


def _ogg_end(stream: BinaryIO, size: int) -> int:
    """Where the last page should end: a page tells its length, the file doesn't."""
    stream.seek(max(0, size - OGG_PAGE))
    tail = stream.read(OGG_PAGE)
    begin = tail.rfind(b"OggS")
    if begin < 0:
        return 0
    page = tail[begin:]
    parts = page[26] if len(page) > 26 else 255
    return size - len(page) + 27 + parts + sum(page[27 : 27 + parts])
