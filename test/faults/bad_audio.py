"""Sound files as they come: of every format and rate, odd, damaged, cut off, or none at all.

Each case knows what must be heard in it, by the formula it was made with, or why nothing can be.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from sound_case import RATE, TRUTH, Case, coded, sound, sweep

HTML = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>\n" * 40
NOISE = np.random.default_rng(0).bytes(30_000)
UNKNOWN = "neither audio nor video"
CUT = "cut off"
FULL = 2**15


def nothing() -> Iterator[Case]:
    """What is called a recording and is none."""
    yield Case("zero bytes.wav", b"", reason="empty")
    yield Case("header only.wav", sound()[:44], reason=CUT)
    yield Case("header of nothing.wav", sound(samples=np.zeros(0)), reason="0 samples")
    yield Case("half a header.wav", sound()[:20], reason=UNKNOWN)
    yield Case("no data.wav", sound()[:36], reason=UNKNOWN)
    yield Case("no format.wav", sound()[:12] + sound()[36:], reason=UNKNOWN)
    yield Case("zeros.wav", bytes(30_000), reason=UNKNOWN)
    yield Case("note.wav", b"Recorded on Monday.\n", reason=UNKNOWN)
    yield Case("table.flac", b"a,b\n1,2\n" * 500, reason=UNKNOWN)
    yield Case("picture.wav", b"\x89PNG\r\n\x1a\n" + NOISE, reason=UNKNOWN)
    yield Case("archive.wav", b"PK\x03\x04" + NOISE, reason=UNKNOWN)
    yield Case("array.wav", b"\x93NUMPY\x01\x00" + NOISE, reason=UNKNOWN)
    # By their names libsndfile takes the first ones for sound without a header, ffmpeg the others.
    for ending in ("wav", "au", "snd", "vox", "gsm", "raw", "mp3", "m4a", "g722", "ul", "sw"):
        yield Case(f"page.{ending}", HTML, reason=UNKNOWN)
        yield Case(f"noise.{ending}", NOISE, reason=UNKNOWN)
    # Playlists, by which one file would answer for another.
    yield Case("list.wav", b"ffconcat version 1.0\nfile 'PCM_16.wav'\n", reason=UNKNOWN)
    segments = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nPCM_16.wav\n#EXT-X-ENDLIST\n"
    yield Case("list.m3u8", segments, reason=UNKNOWN)


def endings() -> Iterator[Case]:
    """Names that tell another format: the content counts."""
    for form, ending in (("FLAC", "wav"), ("WAV", "mp3"), ("WAV", "flac"), ("AIFF", "au")):
        yield Case(f"{form} called.{ending}", sound(form), TRUTH)
    yield Case("OGG called.wav", sound("OGG", "VORBIS"), TRUTH, 0.1, lossy=True)
    yield Case("MP3 called.wav", sound("MP3", "MPEG_LAYER_III"), TRUTH, 0.1, lossy=True)
    yield Case("M4A called.wav", partial(coded, "m4a"), TRUTH, 0.1, lossy=True)
    yield Case("WAV in capitals.WAV", sound(), TRUTH)
    yield Case("no ending", sound(), TRUTH)
    yield Case("text ending.txt", sound(), TRUTH)


def lengths() -> Iterator[Case]:
    """The encoders need 400 samples at 16 kHz, 25 ms."""
    for rate, numbers in ((RATE, (1, 2, 399)), (8000, (1, 199)), (48000, (1, 1196))):
        for n in numbers:
            short = sound(samples=0.1 * np.ones(n), rate=rate)
            yield Case(f"{n} samples at {rate}.wav", short, reason=r"\b\d{1,3} samples")
    for rate, n in ((RATE, 400), (8000, 200), (48000, 1200)):
        least = sound(samples=sweep(rate)[:n], rate=rate)
        yield Case(f"{n} samples at {rate}.wav", least, TRUTH[:400], 0.05)


def values() -> Iterator[Case]:
    """Samples that speech doesn't have."""

    def floats(samples: np.ndarray) -> bytes:
        return sound("WAV", "FLOAT", samples)

    for name, value in (("NaN", np.nan), ("Inf", np.inf), ("-Inf", -np.inf)):
        one = TRUTH.copy()
        one[100] = value
        yield Case(f"one {name}.wav", floats(one), reason="not finite")
        yield Case(f"all {name}.wav", floats(np.full(RATE, value)), reason="not finite")
    yield Case("1e30.wav", floats(1e30 * TRUTH), reason="as large as 4e.29")
    yield Case("1e300.wav", sound("WAV", "DOUBLE", 1e300 * TRUTH), reason="not finite")
    one = TRUTH.copy()
    one[100] = 1e30
    yield Case("one 1e30.wav", floats(one), reason=r"as large as 1e.30")
    yield Case("tiny.wav", floats(1e-40 * TRUTH), 0 * TRUTH)
    # Beyond full scale the whole clip is scaled down, and nothing is clipped.
    yield Case("peak 1.wav", floats(2.5 * TRUTH), 2.5 * TRUTH)
    yield Case("peak 1.5.wav", floats(3.75 * TRUTH), 2.5 * TRUTH)
    yield Case("16 bit as floats.wav", floats(FULL * TRUTH), 2.5 * TRUTH)
    yield Case("32 bit as floats.wav", floats(2**31 * TRUTH), 2.5 * TRUTH)
    yield Case("silence.wav", sound(samples=0 * TRUTH), 0 * TRUTH)
    yield Case("minus zero.wav", floats(-0.0 * TRUTH), 0 * TRUTH)
    yield Case("constant.wav", sound(samples=0 * TRUTH + 0.5), 0 * TRUTH + 0.5)
    yield Case("offset.wav", sound(samples=TRUTH + 0.3), TRUTH + 0.3)
    yield Case("clipped.wav", sound(samples=np.clip(9 * TRUTH, -1, 1)), np.clip(9 * TRUTH, -1, 1))
    square = np.where(TRUTH < 0, -1.0, 1.0)
    yield Case("square.wav", sound(samples=square), square)
    impulse = np.eye(1, RATE, 5000)[0]
    yield Case("impulse.wav", sound(samples=impulse), impulse)
    lowest = np.full(RATE, -1.0)
    yield Case("lowest.wav", sound(samples=lowest), lowest)


def channels() -> Iterator[Case]:
    """They are averaged, each with a tone of its own."""
    for n in (*range(2, 9), 16):
        each = np.stack([sweep(low=150 + 50 * i) for i in range(n)], axis=1)
        yield Case(f"{n} channels.wav", sound(samples=each), each.mean(axis=1))
    yield Case("3 channels.flac", sound("FLAC", samples=each[:, :3]), each[:, :3].mean(axis=1))
    opposite = np.stack([TRUTH, -TRUTH], axis=1)
    yield Case("opposite channels.wav", sound("WAV", "FLOAT", opposite), 0 * TRUTH)


def rates() -> Iterator[Case]:
    """A tone keeps its level, pitch and time whatever rate (Hz) it is recorded at."""
    for rate in (4000, 6000, 8000, 11025, 12000, 22050, 24000, 24414, 32000, 44100, 48000):
        yield Case(f"{rate} Hz.wav", sound(samples=sweep(rate), rate=rate), TRUTH, 0.01)
    for rate in (64000, 88200, 96000, 176400, 192000):
        yield Case(f"{rate} Hz.flac", sound("FLAC", "PCM_24", sweep(rate), rate), TRUTH, 0.01)
    for rate in (0, 1, 999, 2**31 - 1, 2**32 - 1):
        odd = sound()[:24] + struct.pack("<I", rate) + sound()[28:]
        yield Case(f"a rate of {rate}.wav", odd, reason=rf"a rate of|{UNKNOWN}")


def formats() -> Iterator[Case]:
    """What libsndfile reads, and ffmpeg for it."""
    for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"):
        yield Case(f"{subtype}.wav", sound("WAV", subtype), TRUTH)
    for subtype in ("PCM_U8", "ALAW", "ULAW"):
        yield Case(f"{subtype}.wav", sound("WAV", subtype), TRUTH, 0.02)
    for subtype in ("IMA_ADPCM", "MS_ADPCM"):  # whole blocks
        yield Case(f"{subtype}.wav", sound("WAV", subtype), TRUTH, 0.05, lossy=True)
    yield Case("PCM_S8.flac", sound("FLAC", "PCM_S8"), TRUTH, 0.01)
    for form in ("WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC"):
        yield Case(f"{form}.{form.lower()}", sound(form), TRUTH)
    yield Case("GSM610.wav", sound("WAV", "GSM610"), TRUTH, 0.3, lossy=True)
    yield Case("ALAC_16.caf", sound("CAF", "ALAC_16"), TRUTH)
    yield Case("VORBIS.ogg", sound("OGG", "VORBIS"), TRUTH, 0.1, lossy=True)
    yield Case("OPUS.opus", sound("OGG", "OPUS"), TRUTH, 0.1, lossy=True)
    yield Case("LAYER_III.mp3", sound("MP3", "MPEG_LAYER_III"), TRUTH, 0.1, lossy=True)
    for ending in ("m4a", "mov", "mp4", "mkv", "webm", "avi", "wma", "aac", "ac3", "ts", "flv"):
        more = ["-ar", "44100"] if ending == "flv" else []
        yield Case(f"ffmpeg.{ending}", partial(coded, ending, *more), TRUTH, 0.3, lossy=True)
    # Programs that write to a pipe leave the length open.
    for ending in ("wav", "flac", "aiff", "au", "w64"):
        yield Case(f"piped.{ending}", partial(coded, ending, piped=True), TRUTH)
    for ending in ("mp3", "ogg", "avi", "matroska"):
        yield Case(f"piped.{ending}", partial(coded, ending, piped=True), TRUTH, 0.15, lossy=True)


def headers() -> Iterator[Case]:
    """Lengths in a WAV's header that aren't the file's."""
    content = sound()

    def claims(length: int, data: bytes = content[44:]) -> bytes:
        return content[:40] + struct.pack("<I", length % 2**32) + data

    for length in (0, -1, 0x7FFFF000, 0x7FFFFFFF, 0x80000000):  # ffmpeg, sox, arecord
        yield Case(f"length left open {length & 0xFFFFFFFF:x}.wav", claims(length), TRUTH)
    yield Case("length with the header.wav", claims(len(content)), TRUTH)
    yield Case("one sample more.wav", claims(len(content) - 42), TRUTH)
    yield Case("twice as long.wav", claims(2 * len(content)), reason=CUT)
    yield Case("1 GB.wav", claims(2**30), reason=CUT)
    yield Case("more than 2 GB.wav", claims(2**31 + 2**20), reason=CUT)
    yield Case("less than there is.wav", claims(16_000), TRUTH[:8000])
    yield Case("wrong RIFF length.wav", b"RIFF\x10\0\0\0" + content[8:], TRUTH)
    chunk = b"LIST\x1a\0\0\0INFOISFT\x0d\0\0\0somebody, me\0\0"
    yield Case("a chunk before.wav", content[:36] + chunk + content[36:], TRUTH)
    yield Case("a chunk behind.wav", content + chunk, TRUTH)
    yield Case("a tag behind.wav", content + b"TAG" + bytes(125), TRUTH)
    endless = b"LIST\xf0\xff\xff\x7f"
    yield Case("an endless chunk.wav", content[:36] + endless + content[36:], reason=".")
    no_channel = content[:22] + b"\0\0" + content[24:]
    yield Case("no channel.wav", no_channel, reason=".")
    many = content[:22] + b"\xff\xff" + content[24:]
    yield Case("65535 channels.wav", many, reason=".")
    unknown = content[:20] + b"\x34\x12" + content[22:]
    yield Case("unknown coding.wav", unknown, reason=".")


def damaged() -> Iterator[Case]:
    """Bytes within that aren't as they were written, where the format can tell."""

    def hole(whole: Callable[[], bytes]) -> bytes:
        content = whole()
        at = len(content) // 2
        return content[:at] + bytes(1500) + content[at + 1500 :]

    for form, subtype in (("FLAC", "PCM_16"), ("OGG", "VORBIS")):
        content = hole(partial(sound, form, subtype))
        yield Case(f"a hole.{form.lower()}", content, reason="damaged|CRC mismatch")
    for ending in ("m4a", "mkv", "aac"):
        yield Case(f"a hole.{ending}", partial(hole, partial(coded, ending)), reason="damaged")
    flac = bytearray(sound("FLAC"))
    flac[len(flac) // 2] ^= 1
    yield Case("one bit.flac", bytes(flac), reason="damaged")


def truncated(all_of_them: bool) -> Iterator[Case]:
    """Cut after every tenth, where the format can tell."""
    whole = {
        "wav": sound,
        "flac": partial(sound, "FLAC"),
        "mp3": partial(sound, "MP3", "MPEG_LAYER_III"),
        "ogg": partial(sound, "OGG", "VORBIS"),
        "m4a": partial(coded, "m4a", "-movflags", "+faststart"),
        "avi": partial(coded, "avi"),
    }
    if all_of_them:
        for form in ("RF64", "W64", "AIFF", "AU", "CAF", "NIST"):
            whole[form.lower()] = partial(sound, form)
        whole["adpcm.wav"] = partial(sound, "WAV", "MS_ADPCM")
        whole["opus"] = partial(sound, "OGG", "OPUS")
        for ending in ("mov", "mkv", "webm"):
            whole[ending] = partial(coded, ending)

    def beginning(content: Callable[[], bytes], tenths: int) -> bytes:
        return content()[: len(content()) * tenths // 10]

    for ending, content in whole.items():
        for tenths in range(1, 10):
            part = partial(beginning, content, tenths)
            reason = f"{CUT}|{UNKNOWN}|no audio track"
            yield Case(f"{tenths} tenths.{ending}", part, reason=reason)


def cases(all_of_them: bool = False) -> list[Case]:
    """Every one of them."""
    kinds = (nothing, endings, lengths, values, channels, rates, formats, headers, damaged)
    return [*(case for kind in kinds for case in kind()), *truncated(all_of_them)]
