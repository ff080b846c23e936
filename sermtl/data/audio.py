"""Audio of any format to 16 kHz mono, and the dump that training reads."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import soundfile
import soxr

from sermtl.data import SAMPLE_RATE, archive
from sermtl.data.datadir import read_column
from sermtl.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

MIN_SAMPLES = 400  # one frame of the encoders
FULL_SCALE = 32_768
DIGESTS = "audio.sha256"  # of each archive of a dumped set
UNREADABLE = "unreadable.txt"  # of a dumped set: clips left out, and why

# What ffmpeg says of a cut MP4, MOV or Matroska file, though it ends well with the part before.
CUT_OFF = ("partial file", "File ended prematurely")
NO_TRACK = "does not contain any stream"


def read_audio(
    source: str | Path | BinaryIO, start: float | None = None, end: float | None = None
) -> np.ndarray:
    """Samples ``(N,)`` float32 at 16 kHz, channels averaged.

    Args:
        source: a file that soundfile reads, or a video that ffmpeg reads.
        start, end: seconds; the stretch to read.

    Raises:
        UserError: if the file can't be read, breaks off, or has no such stretch. (An AVI that
            breaks off is read up to there: it doesn't tell.)
    """
    name = source if isinstance(source, str | Path) else "the recording"
    if name is source and not Path(source).exists():
        raise UserError(f"{source}: there is no such file")
    try:
        file = soundfile.SoundFile(source)
    except soundfile.LibsndfileError as error:
        if name is not source or not Path(source).is_file():
            raise UserError(f"{name}: {_reason(error)}") from error
        return to_mono_16k(_decode(Path(source), start, end, error), SAMPLE_RATE)
    try:
        with file:
            rate = file.samplerate
            first = round((start or 0.0) * rate)
            last = file.frames if end is None else round(end * rate)
            if not 0 <= first <= last or last > file.frames + rate // 100:
                raise UserError(
                    f"{name}: no stretch from {start} to {end} s in {file.frames / rate:.2f} s"
                )
            file.seek(first)
            samples = file.read(last - first, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        # Not handed to ffmpeg, which would take the part before the damage for the whole.
        raise UserError(f"{name}: damaged or cut off ({error})") from error
    return to_mono_16k(samples, rate)


def to_mono_16k(samples: np.ndarray, rate: int) -> np.ndarray:
    """``(N,)`` or ``(N, channels)`` at any rate in Hz to ``(M,)`` float32 at 16 kHz.

    Integers are taken as fractions of their full scale.
    """
    samples = np.asarray(samples)
    if samples.dtype.kind == "i":
        samples = samples / (np.iinfo(samples.dtype).max + 1)
    samples = samples.astype(np.float32)
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    if rate != SAMPLE_RATE:
        samples = soxr.resample(samples, rate, SAMPLE_RATE, quality="HQ")
    return np.ascontiguousarray(samples, dtype=np.float32)


def change_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """``(N,)`` at 16 kHz, played ``speed`` times as fast: ``(N / speed,)``."""
    if speed == 1.0:
        return samples
    return soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE, quality="HQ")


def to_int16(samples: np.ndarray) -> np.ndarray:
    """``(N,)`` float32 to 16 bit; a clip beyond full scale is scaled down as a whole, not clipped.

    What was read from 16 bit at 16 kHz comes back exactly.

    Raises:
        UserError: for NaN or infinite samples, and clips too short for the encoders.
    """
    if len(samples) < MIN_SAMPLES:
        raise UserError(f"only {len(samples)} samples at 16 kHz, at least {MIN_SAMPLES} are needed")
    peak = float(np.abs(samples).max())
    if not np.isfinite(peak):
        raise UserError("samples that are not finite numbers")
    values = np.round(samples * (FULL_SCALE / max(1.0, peak)))
    return np.clip(values, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)  # 1.0 is 32768, too


@dataclass(frozen=True)
class Dump:
    """A dumped set, opened for reading."""

    ids: list[str]
    paths: dict[str, str]  # id -> place in an archive
    lengths: list[int]  # samples, in the order of `ids`

    def samples(self, utt_id: str) -> np.ndarray:
        """``(N,)`` float32 at 16 kHz."""
        return dumped_samples(self.paths[utt_id])


def dumped_samples(place: str) -> np.ndarray:
    """A dumped clip: ``(N,)`` float32 at 16 kHz.

    Args:
        place: ``archive:offset``.

    Raises:
        UserError: if there is no clip in stage 1's format.
    """
    try:
        rate, samples = archive.read(place)
    except (OSError, ValueError, RuntimeError, EOFError, TypeError, struct.error) as error:
        raise UserError(f"{place}: can't be read ({error}): run stage 1 again") from error
    if rate != SAMPLE_RATE or samples.ndim != 1 or samples.dtype != np.int16:
        raise UserError(
            f"{place}: {rate} Hz, shape {samples.shape}, {samples.dtype}, "
            "not 16 kHz mono int16: run stage 1 again"
        )
    return samples.astype(np.float32) / FULL_SCALE


def audio_files(folder: str | Path) -> list[Path]:
    """The small files that change whenever audio of ``dump/<set>`` does."""
    return [Path(folder) / name for name in ("wav.scp", DIGESTS)]


def read_dump(folder: str | Path) -> Dump:
    """Open ``dump/<set>``."""
    folder = Path(folder)
    paths = read_column(folder / "wav.scp")
    lengths = read_column(folder / "utt2num_samples")
    return Dump(list(paths), paths, [int(lengths[utt_id]) for utt_id in paths])


def padded(clips: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Clips ``(N_b,)`` as one batch ``(B, N)``, zero padded, and their lengths ``(B,)``."""
    import torch

    speech = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(c) for c in clips], batch_first=True)
    return speech, torch.tensor([len(clip) for clip in clips])


def _reason(error: soundfile.LibsndfileError) -> str:
    """Without the name of a file object, which is its place in memory."""
    return error.error_string.rstrip(".")


def _decode(path: Path, start: float | None, end: float | None, reason: Exception) -> np.ndarray:
    """What soundfile can't read, through ffmpeg: ``(N,)`` at 16 kHz."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        try:
            import imageio_ffmpeg
        except ImportError:
            raise UserError(
                f"{path}: {reason}. If it is a video, install ffmpeg or imageio-ffmpeg"
            ) from reason
        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    command = [ffmpeg, "-nostdin", "-loglevel", "error"]
    command += ["-ss", str(start)] if start else []
    command += ["-i", f"file:{path}"]
    command += ["-t", str(end - (start or 0.0))] if end is not None else []
    command += ["-vn", "-f", "s16le", "-ac", "1", "-ar", str(SAMPLE_RATE), "-"]
    done = subprocess.run(command, capture_output=True)
    said = done.stderr.decode(errors="replace").strip()
    if any(words in said for words in CUT_OFF):
        raise UserError(f"{path}: damaged or cut off")
    if NO_TRACK in said:
        raise UserError(f"{path}: no audio track was found in it")
    if done.returncode or not done.stdout:
        # The first line tells most, after the part of ffmpeg that speaks: "[mov @ 0x55d0] ...".
        why = re.sub(r"^\[[^]]*\] ", "", said.partition("\n")[0]) or reason
        raise UserError(f"{path}: neither audio nor video ({why})")
    samples = np.frombuffer(done.stdout, dtype="<i2")
    if end is not None and len(samples) < (end - (start or 0.0) - 0.01) * SAMPLE_RATE:
        raise UserError(
            f"{path}: no stretch from {start} to {end} s, it ends {len(samples) / SAMPLE_RATE:.2f} "
            "s after the start"
        )
    return samples
