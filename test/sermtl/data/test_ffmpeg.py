"""How ffmpeg is asked, and what its answers mean; real videos: test_audio.py."""

from __future__ import annotations

import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from sermtl.data.ffmpeg import FORMATS, decode
from sermtl.errors import UserError


class Ffmpeg:
    """Takes ffmpeg's place, and keeps what it was asked."""

    def __init__(self) -> None:
        self.stdout, self.stderr, self.returncode = bytes(32000), b"", 0

    def __call__(self, command: list, **options: bool) -> SimpleNamespace:
        assert options == {"capture_output": True}
        self.command = command
        return SimpleNamespace(**vars(self))

    def option(self, name: str) -> str | None:
        """The value behind an option's name."""
        if name not in self.command:
            return None
        return self.command[self.command.index(name) + 1]


@pytest.fixture
def ffmpeg(monkeypatch: pytest.MonkeyPatch) -> Ffmpeg:
    fake = Ffmpeg()
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(subprocess, "run", fake)
    return fake


@pytest.mark.parametrize(
    ("start", "end", "longest", "begin", "seconds"),
    [
        (None, None, None, None, None),
        (None, None, 30.0, None, "31.0"),
        (None, 1.0, 30.0, None, "1.0"),
        (0.5, 1.5, None, "0.5", "1.0"),
        (0.5, None, None, "0.5", None),
    ],
)
def test_only_the_stretch_is_decoded(
    ffmpeg: Ffmpeg,
    start: float | None,
    end: float | None,
    longest: float | None,
    begin: str | None,
    seconds: str | None,
) -> None:
    ffmpeg.stdout = np.arange(16000, dtype="<i2").tobytes()
    samples = decode("a b.mp4", start, end, longest, "no")
    assert samples.dtype == np.int16 and samples.tolist() == list(range(16000))
    assert ffmpeg.command[0] == "/bin/ffmpeg" and ffmpeg.command[-1] == "-"
    assert (ffmpeg.option("-ss"), ffmpeg.option("-t")) == (begin, seconds)
    assert ffmpeg.option("-i") == b"file:a b.mp4"
    assert ffmpeg.option("-format_whitelist") == FORMATS
    assert ffmpeg.option("-protocol_whitelist") == "file"
    assert (ffmpeg.option("-f"), ffmpeg.option("-ac"), ffmpeg.option("-ar")) == (
        *("s16le", "1", "16000"),
    )
    assert {"-nostdin", "-vn", "-xerror"} < set(ffmpeg.command)
    assert ffmpeg.option("-loglevel") == "error"


@pytest.mark.parametrize(
    ("said", "code", "samples", "message"),
    [
        (b"", 1, 0, r"neither audio nor video \(no wav\)"),
        (b"[mov @ 0x5] [x] moov not found\nmore", 1, 0, r"neither .* \(moov not found\)"),
        (b"odd \xff bytes", 1, 0, "neither .* \\(odd \ufffd bytes\\)"),
        (b"Format not on whitelist 'aac'", 1, 0, r"neither .* \(no wav\)"),
        (b"[mov @ 0x5] stream 0, partial file", 0, 100, r"damaged .*\(stream 0, partial file\)"),
        (b"x\n [a] File ended prematurely", 0, 100, r"damaged or cut off \(x\)"),
        (b"x: invalid as first byte of an EBML", 0, 100, "damaged or cut off"),
        (b"x: exceeds containing master element", 0, 100, "damaged or cut off"),
        (b"decoding failed", 1, 100, "damaged or cut off"),
        (b"Output file #0 does not contain any stream", 1, 0, "no audio track was found"),
    ],
)
def test_what_it_says_is_told(
    ffmpeg: Ffmpeg, said: bytes, code: int, samples: int, message: str
) -> None:
    ffmpeg.stderr, ffmpeg.returncode, ffmpeg.stdout = said, code, bytes(2 * samples)
    with pytest.raises(UserError, match=f"^{message}"):
        decode("a.mp4", None, None, None, "no wav")


def test_warnings_are_no_errors(ffmpeg: Ffmpeg) -> None:
    ffmpeg.stderr = b"[mp3 @ 0x5] Estimating duration from bitrate"
    assert len(decode("a.mp4", None, None, None, "no wav")) == 16000


def test_a_stretch_behind_the_end_is_refused(ffmpeg: Ffmpeg) -> None:
    ffmpeg.stdout = bytes(2 * 15840)  # a hundredth of a second less is let pass
    assert len(decode("a.mp4", 0.5, 1.5, None, "")) == 15840
    ffmpeg.stdout = bytes(2 * 15839)
    for start, end in ((0.5, 1.5), (None, 1.0)):
        with pytest.raises(
            UserError, match=rf"no stretch from {start} to {end} s, it ends 0\.99 s"
        ):
            decode("a.mp4", start, end, None, "")


def test_the_package_serves_where_no_program_is(
    ffmpeg: Ffmpeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(package, "get_ffmpeg_exe", lambda: "/its/own")
    decode("a.mp4", None, None, None, "")
    assert ffmpeg.command[0] == "/its/own"
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=r"^no wav\. .*install ffmpeg or imageio-ffmpeg"):
        decode("a.mp4", None, None, None, "no wav")
