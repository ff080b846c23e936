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
        assert missing_bytes(io.BytesIO(content[:length])) >= 0


@pytest.mark.parametrize("length", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_lengths_left_open_promise_nothing(length):
    content = written("WAV")[:40] + struct.pack("<I", length) + bytes(1000)
    assert missing_bytes(io.BytesIO(content)) == 0
    mended = filled_in(io.BytesIO(content))
    if length:  # libsndfile sees to these
        assert mended is None
    else:
        assert len(soundfile.read(mended)[0]) == 500


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
