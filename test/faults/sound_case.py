"""A sound file and what must be heard in it."""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
EDGE = 160  # samples at both ends, which resampling smears


@dataclass(frozen=True)
class Case:
    """One file, and what becomes of it."""

    name: str  # of the file
    content: bytes | Callable[[], bytes] = field(repr=False)
    truth: np.ndarray | None = field(default=None, repr=False)  # (N,) at 16 kHz
    tolerance: float = 2e-4  # of each sample (some steps of 16 bit); if lossy, of all, relative
    lossy: bool = False  # may be shifted
    reason: str = ""  # pattern of why there is no answer, where there is none
    refused: str = ""  # the same, of stage 1 alone
    make: Callable[[Path], object] | None = field(default=None, repr=False)  # what is no file

    def write(self, folder: Path) -> Path:
        """Make the file."""
        path = folder / self.name
        if self.make:
            self.make(path)
        else:
            path.write_bytes(self.content if isinstance(self.content, bytes) else self.content())
        return path

    def check(self, samples: np.ndarray) -> None:
        """Fail unless ``(N,)`` at 16 kHz is what must be heard."""
        assert self.truth is not None, f"{len(samples)} samples were read, {self.reason} expected"
        if self.lossy:
            self._check_likeness(samples)
            return
        assert abs(len(samples) - len(self.truth)) <= 1
        both = min(len(samples), len(self.truth))
        within = slice(EDGE, both - EDGE) if self.tolerance > 1e-3 else slice(both)
        error = np.abs(samples[within] - self.truth[within]).max()
        assert error <= self.tolerance

    def _check_likeness(self, samples: np.ndarray) -> None:
        """Coders delay and pad."""
        room = np.pad(samples, (RATE // 10, len(self.truth)))
        shift = int(np.correlate(room, self.truth, "valid").argmax())
        heard = room[shift:][: len(self.truth)]
        error = np.sqrt(np.mean((heard - self.truth) ** 2) / np.mean(self.truth**2))
        assert error <= self.tolerance
        assert abs(len(samples) - len(self.truth)) <= 0.3 * RATE


def sweep(
    rate: int = RATE, seconds: float = 0.6, low: float = 200.0, high: float = 1400.0
) -> np.ndarray:
    """A tone that rises between two frequencies (Hz): level, pitch and time show in it."""
    t = np.arange(round(rate * seconds)) / rate
    return 0.4 * np.sin(2 * np.pi * (low * t + (high - low) * t**2 / (2 * seconds)))


TRUTH = sweep()


def sound(
    form: str = "WAV", subtype: str = "PCM_16", samples: np.ndarray = TRUTH, rate: int = RATE
) -> bytes:
    """A file by libsndfile."""
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, subtype, format=form)
    return stream.getvalue()


@cache
def coded(ending: str, *options: str, piped: bool = False) -> bytes:
    """A file by ffmpeg; piped, it can't go back to fill in lengths."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", "pipe:", *options]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"a.{ending}")
        target = ["-f", ending, "pipe:"] if piped else [str(file)]
        done = subprocess.run([*command, *target], input=sound(), capture_output=True, check=True)
        return done.stdout if piped else file.read_bytes()
