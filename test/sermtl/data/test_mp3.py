"""MP3s without a length: frames made by hand, and LAME's, against libsndfile."""

import io

import numpy as np
import pytest
import soundfile

from sermtl.data.mp3 import with_length

# Headers, and the bytes and samples of their frames by ISO 11172-3 and 13818-3: a frame of 1152
# (576) samples has 144 (72) times the bits per second by the hertz, and the padding.
FRAMES = [
    (b"\xff\xfb\x90\x00", 417, 1152),  # MPEG-1, 128 kbit/s, 44.1 kHz
    (b"\xff\xfb\x92\x00", 418, 1152),  # the same, padded
    (b"\xff\xfa\xe4\xc0", 960, 1152),  # 320 kbit/s, 48 kHz, with a checksum, mono
    (b"\xff\xfb\x18\x00", 144, 1152),  # 32 kbit/s, 32 kHz
    (b"\xff\xf3\xe8\xc0", 720, 576),  # MPEG-2, 160 kbit/s, 16 kHz, mono
    (b"\xff\xf3\x44\x00", 96, 576),  # 32 kbit/s, 24 kHz
    (b"\xff\xe3\x1a\x00", 73, 576),  # MPEG-2.5, 8 kbit/s, 8 kHz, padded
]


def made(head, length, number):
    return head.ljust(length, b"\0") * number


@pytest.mark.parametrize(("head", "length", "samples"), FRAMES)
def test_frames_are_counted(head, length, samples):
    content = made(head, length, 3)
    assert with_length(io.BytesIO(content), 3 * samples) is None
    for before, behind in ((b"", b""), (b"", b"TAG" + bytes(125)), (tag(300), bytes(500))):
        stream = io.BytesIO(before + content + behind)
        stream.seek(5)
        told = with_length(stream, 3 * samples - 1).getvalue()
        assert stream.tell() == 5
        assert told.endswith(content) and told[:3] == head[:1] + bytes([head[1] | 1]) + told[2:3]
        assert told[3] == head[3]
        place = told.index(b"Xing")
        assert (
            place
            == {(1, 0): 36, (1, 1): 21, (0, 0): 21, (0, 1): 13}[samples == 1152, head[3] >> 6 == 3]
        )
        assert told[place + 4 : place + 12] == bytes([0, 0, 0, 1, 0, 0, 0, 3])
        # The frame that tells is one, too, and no further one is counted.
        assert with_length(io.BytesIO(told), 0) is None


def tag(size):
    return b"ID3\4\0\0" + bytes([0, 0, size >> 7, size & 127]) + bytes(size)


def test_long_tags_are_skipped():
    size = 1 << 21 | 2 << 14 | 3 << 7 | 5
    content = b"ID3\4\0\0" + bytes([1, 2, 3, 5]) + bytes(size) + made(*FRAMES[0][:2], 2)
    assert with_length(io.BytesIO(content), 2 * 1152) is None
    assert with_length(io.BytesIO(content), 2 * 1152 - 1) is not None


@pytest.mark.parametrize("word", [b"Xing", b"Info", b"VBRI"])
def test_what_tells_its_length_is_left_alone(word):
    first = (FRAMES[0][0] + bytes(32) + word).ljust(417, b"\0")
    assert with_length(io.BytesIO(first + made(*FRAMES[0][:2], 3)), 0) is None
    assert with_length(io.BytesIO(made(*FRAMES[0][:2], 3) + first), 0) is not None


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xdb\x90\x00",  # no sync word
        b"\xfe\xfb\x90\x00",
        b"\xff\xfd\x90\x00",  # layer II
        b"\xff\xeb\x90\x00",  # no version
        b"\xff\xfb\x9c\x00",  # no sampling rate
        b"\xff\xfb\x00\x00",  # no bit rate
        b"\xff\xfb\xf0\x00",
    ],
)
def test_other_headers_are_no_frames(head):
    content = made(*FRAMES[0][:2], 2)
    for behind in (head.ljust(417, b"\0") + content, FRAMES[0][0][:3]):  # and one that is cut off
        assert with_length(io.BytesIO(content + behind), 2 * 1152) is None
    assert with_length(io.BytesIO(head.ljust(417, b"\0") + content), 0) is None


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])
def test_libsndfile_then_reads_all_of_it(rate, channels):
    loud = np.random.default_rng(0).uniform(-0.5, 0.5, rate // 2)
    clip = np.concatenate([loud, np.zeros(2 * rate), loud]).astype("f4")
    stream = io.BytesIO()
    kind = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "VARIABLE"}
    soundfile.write(stream, np.stack([clip] * channels, axis=1), rate, **kind)
    whole, content = stream.getvalue(), stream.getvalue()
    content = content[content.index(content[:2], 4) :]
    expected = soundfile.info(io.BytesIO(content)).frames
    assert expected < len(clip) - rate
    samples, _ = soundfile.read(with_length(io.BytesIO(content), expected), always_2d=True)
    true, _ = soundfile.read(io.BytesIO(whole), always_2d=True)
    assert len(true) == len(clip)  # of which LAME's first frame says where in the frames it begins
    np.testing.assert_allclose(samples[576:][: len(true)], true, atol=1e-6)
