import io
import struct

import numpy as np
import pytest
import soundfile

from sermtl.data.cut_off import SLACK, filled_in, missing_bytes


def written(form, subtype=None):
    stream = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    soundfile.write(stream, noise, 16000, subtype, format=form)
    return stream.getvalue()


FORMS = ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "MP3", "OGG"]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_missing_is_counted(form):
    content = written(form)
    assert missing_bytes(io.BytesIO(content)) == 0
    assert missing_bytes(io.BytesIO(content + bytes(100))) == 0  # a tag behind it, say
    lost = len(content) // 3
    found = missing_bytes(io.BytesIO(content[:-lost]))
    # The pages of Ogg tell their own lengths, the file tells none.
    assert 0 < found <= 2**16 if form == "OGG" else found == lost


def test_a_header_counted_with_the_audio_is_no_loss():
    content = written("WAV")
    assert missing_bytes(io.BytesIO(content[:-SLACK])) == 0
    assert missing_bytes(io.BytesIO(content[: -SLACK - 1])) == SLACK + 1


@pytest.mark.parametrize("form", [*FORMS, "FLAC"])
def test_no_beginning_of_a_file_is_too_short(form):
    content = written(form)
    for length in range(200):
        lost = max(len(content) - length, 2**16 if form == "OGG" else 0)
        assert 0 <= missing_bytes(io.BytesIO(content[:length])) <= lost


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def test_chunks_before_the_audio_are_skipped():
    head, audio = written("WAV")[:36], written("WAV")[36:]
    others = chunk(b"junk", b"odd") + chunk(b"none", b"") + chunk(b"LIST", b"INFO" + bytes(500))
    content = head + others + audio
    assert missing_bytes(io.BytesIO(content[:-1000])) == 1000
    assert missing_bytes(io.BytesIO(content[: 36 + len(others) + 8])) == 32000  # all of it


def test_chunks_of_a_w64_begin_at_multiples_of_eight():
    content = written("W64")
    other = b"junk" + bytes(12) + struct.pack("<q", 24 + 5) + bytes(8)
    content = content[:40] + other + content[40:]
    assert missing_bytes(io.BytesIO(content[:-1000])) == 1000


def test_the_audio_of_an_avi_is_among_its_pictures():
    head = b"RIFF" + bytes(4) + b"AVI " + chunk(b"LIST", b"hdrl" + bytes(300))
    content = head + chunk(b"LIST", b"movi" + chunk(b"00wb", bytes(2000)))
    assert missing_bytes(io.BytesIO(content)) == 0
    assert missing_bytes(io.BytesIO(content[:-1000])) == 1000


def frame(flags, *numbers, before=36):
    """The first of an MP3, which tells of the others; they are in ``numbers``."""
    return (b"\xff\xfb\x90\0".ljust(before, b"\0") + b"Xing").ljust(before + 7, b"\0") + (
        bytes([flags]) + struct.pack(f">{len(numbers)}I", *numbers).ljust(100, b"\1")
    )


@pytest.mark.parametrize(
    ("content", "length"),
    [
        (frame(3, 10, 5000), 5000),  # 10 is a line end, too
        (frame(15, 77, 5000, 1), 5000),
        (frame(2, 5000), 5000),
        (frame(2, 3 << 30), 3 << 30),
        (frame(1, 5000), None),
        (frame(0), None),
        (frame(2, 5000, before=200), None),
    ],
)
def test_an_mp3_tells_its_length_in_the_first_frame(content, length):
    expected = length - len(content) if length else 0
    assert missing_bytes(io.BytesIO(content)) == expected


def test_a_tag_before_an_mp3_is_skipped():
    size = 1 << 21 | 2 << 14 | 3 << 7 | 5
    tag = b"ID3\4\0\0" + bytes([1, 2, 3, 5]) + bytes(size)
    content = tag + frame(3, 10, 5000)
    assert missing_bytes(io.BytesIO(content)) == len(tag) + 5000 - len(content)


def test_a_page_of_an_ogg_tells_its_length():
    page = b"OggS" + bytes(22) + bytes([2, 255, 100]) + bytes(355)
    for whole in (page, bytes(70_000) + page):
        whole = b"OggS" + whole[4:]
        assert missing_bytes(io.BytesIO(whole)) == 0
        assert missing_bytes(io.BytesIO(whole[:-200])) == 200
        assert missing_bytes(io.BytesIO(whole[: 27 - len(page)])) == 2  # the parts' lengths
        assert missing_bytes(io.BytesIO(whole[: 26 - len(page)])) == 1 + 255  # so many at most


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"channel_count", b"channel_coump"), (b"pcm", b"shorten"), (b"pcm", b"embedded")],
)
def test_a_sphere_header_may_not_tell_the_length(before, after):
    content = written("NIST")
    assert missing_bytes(io.BytesIO(content[:-1000])) == 1000
    assert missing_bytes(io.BytesIO(content.replace(before, after, 1)[:-1000])) == 0


def test_an_au_without_its_length_promises_nothing():
    assert missing_bytes(io.BytesIO(b".snd" + struct.pack(">I", 24))) == 0


@pytest.mark.parametrize("length", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_lengths_left_open_promise_nothing(length):
    content = written("WAV")[:40] + struct.pack("<I", length) + bytes(1000)
    assert missing_bytes(io.BytesIO(content)) == 0
    mended = filled_in(io.BytesIO(content))
    if length:  # libsndfile sees to these
        assert mended is None
    else:
        assert len(soundfile.read(mended)[0]) == 500
        assert mended.getvalue()[40:44] == struct.pack("<I", 1000)


def test_a_wav_that_is_empty_is_not_filled_in():
    assert filled_in(io.BytesIO(written("WAV")[:40] + bytes(4))) is None
    assert filled_in(io.BytesIO(written("WAV")[:36])) is None
    assert filled_in(io.BytesIO(written("FLAC"))) is None


def test_long_files_tell_their_length_elsewhere():
    content = bytearray(written("RF64"))
    place = content.index(b"ds64") + 16
    content[place : place + 8] = struct.pack("<Q", (5 << 32) + 12345)
    assert missing_bytes(io.BytesIO(content)) > 4 << 32
    content[place : place + 8] = struct.pack("<q", -1)
    assert missing_bytes(io.BytesIO(content)) == 0


def test_gigabytes_of_empty_chunks_take_no_time(tmp_path):
    with open(tmp_path / "a.wav", "w+b", buffering=0) as stream:
        stream.write(written("WAV")[:12])
        stream.truncate(8 << 30)  # which takes no room on the disk
        assert missing_bytes(stream) == 0
