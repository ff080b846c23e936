"""How long an MP3 is: its first frame tells, or all must be counted."""

from __future__ import annotations

import io
import re
import struct
from typing import BinaryIO

# kbit/s by the header's four bits, of MPEG-1 and of MPEG-2 and 2.5.
RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
HERTZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
TELLING = (b"Xing", b"Info", b"VBRI")  # in the first frame: the number of frames follows


def told_end(stream: BinaryIO) -> int:
    """Where the audio should end by the frame with which LAME and others begin; 0 without one."""
    begin = _behind_tag(stream)
    stream.seek(begin)
    frame = stream.read(64)
    found = re.search(rb"(?:Xing|Info)\0\0\0(.)(.{8})", frame, re.DOTALL)
    if not found or not found[1][0] & 2:
        return 0
    frames_first = found[1][0] & 1
    return begin + struct.unpack(">I", found[2][4:] if frames_first else found[2][:4])[0]


def with_length(stream: BinaryIO, expected: int) -> BinaryIO | None:
    """An MP3 that has more samples than ``expected``, behind a frame that tells them.

    libsndfile takes all frames to be as large as the first ones, and leaves out what would be more.
    ``None`` if it hasn't more, or tells by itself. The stream is left where it was.
    """
    before = stream.tell()
    try:
        first = place = _behind_tag(stream)
        frames = samples = 0
        while True:
            stream.seek(place)
            content = stream.read(4 if frames else 64)
            length, of_frame = _frame(content[:4])
            if not length:  # the end, a tag there, or damage
                break
            if any(word in content for word in TELLING):
                return None
            place, frames, samples = place + length, frames + 1, samples + of_frame
        if samples <= expected:
            return None
        stream.seek(first)
        content = stream.read(place - first)
        return io.BytesIO(_telling_frame(content[:4], frames) + content)
    finally:
        stream.seek(before)


def _telling_frame(head: bytes, frames: int) -> bytes:
    """As LAME begins a file, for frames with such a header."""
    bits = int.from_bytes(head, "big")
    bits = bits & ~0xF000 | 0x10000 | 9 << 12  # large enough, and without a checksum
    mono, first_version = bits >> 6 & 3 == 3, bits >> 19 & 3 == 3
    side = (17 if mono else 32) if first_version else (9 if mono else 17)  # bytes
    length, _ = _frame(bits.to_bytes(4, "big"))
    told = bits.to_bytes(4, "big") + bytes(side) + b"Xing" + struct.pack(">II", 1, frames)
    return told.ljust(length, b"\0")


def _behind_tag(stream: BinaryIO) -> int:
    """Where the first frame begins."""
    stream.seek(0)
    head = stream.read(10)
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    a, b, c, d = head[6:]  # seven bits each
    return 10 + (a << 21 | b << 14 | c << 7 | d)


def _frame(head: bytes) -> tuple[int, int]:
    """Bytes and samples of the frame with this header; 0 and 0 if it is none of layer III."""
    bits = int.from_bytes(head, "big")
    version, rate, hertz = bits >> 19 & 3, bits >> 12 & 15, bits >> 10 & 3
    layer_3 = len(head) == 4 and bits >> 21 == 0x7FF and bits >> 17 & 3 == 1
    if not layer_3 or version == 1 or rate in (0, 15) or hertz == 3:
        return 0, 0
    samples, rates = (1152, RATES_1) if version == 3 else (576, RATES_2)
    padding = bits >> 9 & 1
    return samples // 8 * 1000 * rates[rate] // HERTZ[version][hertz] + padding, samples
