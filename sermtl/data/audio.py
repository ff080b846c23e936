"""Audio of any format to 16 kHz mono, and the dump that training reads."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import soundfile
import soxr

from sermtl.data import SAMPLE_RATE, archive
from sermtl.data.cut_off import filled_in, missing_bytes
from sermtl.data.datadir import read_column, read_lengths
from sermtl.data.ffmpeg import decode
from sermtl.data.mp3 import with_length
from sermtl.errors import UserError
from sermtl.terminal import printable

if TYPE_CHECKING:
    from torch import Tensor

MIN_SAMPLES = 400  # one frame of the encoders
RATES = (1_000, 1_000_000)  # Hz; a broken header's 1 Hz would fill the memory
FULL_SCALE = 32_768
LOUDEST = 2.0**31  # floats may be whole numbers of 32 bit; what is beyond was never sound
DIGESTS = "audio.sha256"  # of each archive of a dumped set
UNREADABLE = "unreadable.txt"  # of a dumped set: clips left out, and why

BLOCK = 1 << 20  # samples read at once
NO_LENGTH = 2**63 - 1  # libsndfile's, of a FLAC whose header leaves the length open
NO_FILE = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_audio(
    source: str | Path | BinaryIO,
    start: float | None = None,
    end: float | None = None,
    longest: float | None = None,
) -> np.ndarray:
    """Samples ``(N,)`` float32 at 16 kHz, channels averaged, not beyond full scale.

    Args:
        source: a file that soundfile reads, or a video that ffmpeg reads.
        start, end: seconds; the stretch to read.
        longest: seconds; of what is longer no more than that is ever decoded.

    Raises:
        UserError: naming the file, if it can't be read, breaks off, has no such stretch or is too
            long.
    """
    is_path = isinstance(source, str | Path)
    try:
        with _open(source) if is_path else nullcontext(source) as stream:
            if missing := missing_bytes(stream):
                raise UserError(f"cut off, {missing} bytes short of what its header says")
            path = str(source) if is_path else None
            return _samples(stream, path, start, end, longest)
    except (UserError, OSError) as error:
        name = printable(str(source)) if is_path else "the recording"
        why = f"can't be read ({error.strerror or error})" if isinstance(error, OSError) else error
        raise UserError(f"{name}: {why}") from error


def _open(path: str | Path) -> BinaryIO:
    """A regular file."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        if os.path.islink(path):
            target = printable(os.readlink(path))
            raise UserError(f"a link to {target}, which isn't there") from error
        raise UserError("there is no such file") from error
    # Asked before opening: a pipe would wait for somebody to write, a device never end.
    kind = stat.S_IFMT(found.st_mode)
    if kind in NO_FILE:
        raise UserError(f"{NO_FILE[kind]}, not a file")
    if not found.st_size:
        raise UserError("empty")
    return open(path, "rb", buffering=0)  # libsndfile goes on from the same position


def _samples(
    stream: BinaryIO,
    path: str | None,
    start: float | None,
    end: float | None,
    longest: float | None,
) -> np.ndarray:
    """As `read_audio`."""
    stream.seek(0)
    try:
        # Not by its name, which libsndfile believes: anything called .au would be sound.
        file = soundfile.SoundFile(stream if path is None else stream.fileno(), closefd=False)
    except soundfile.LibsndfileError as error:
        return _by_ffmpeg(path, start, end, longest, _reason(error))
    with file:
        if not file.frames and (whole := filled_in(stream)):
            return _samples(whole, None, start, end, longest)
        if file.subtype == "MPEG_LAYER_III" and (whole := with_length(stream, file.frames)):
            return _samples(whole, None, start, end, longest)
        if file.frames == NO_LENGTH:
            return _by_ffmpeg(path, start, end, longest, "its header leaves the length open")
        return _stretch(file, start, end, longest)


def _by_ffmpeg(
    path: str | None, start: float | None, end: float | None, longest: float | None, reason: str
) -> np.ndarray:
    """The same, of a file by name."""
    if path is None:
        raise UserError(reason)
    samples = decode(path, start, end, longest, reason)
    check_length(len(samples) / SAMPLE_RATE, longest)
    return to_mono_16k(samples, SAMPLE_RATE)


def check_length(seconds: float, longest: float | None) -> None:
    """Refuse a recording of more than ``longest`` seconds, if that is given."""
    if longest is not None and seconds > longest:
        raise UserError(f"over {longest:g} s long; at most {longest:g} s are taken")


def _stretch(
    file: soundfile.SoundFile, start: float | None, end: float | None, longest: float | None
) -> np.ndarray:
    """What is between two times in seconds."""
    mono, rate, block_size = Mono16k(file.samplerate), file.samplerate, BLOCK // file.channels
    first = round((start or 0.0) * rate)
    last = file.frames if end is None else round(end * rate)
    if not 0 <= first <= last or last > file.frames + rate // 100:
        raise UserError(f"no stretch from {start} to {end} s in {file.frames / rate:.2f} s")
    frames = min(last, file.frames) - first
    check_length(frames / rate, longest)
    try:
        if first:
            file.seek(first)
        while mono.frames < frames:
            wanted = min(frames - mono.frames, block_size)
            block = file.read(wanted, dtype="float32")
            if not len(block):
                break
            mono.add(block)
    except soundfile.LibsndfileError as error:
        # Not handed to ffmpeg, which would take the part before the damage for the whole.
        raise UserError(f"damaged or cut off ({_reason(error)})") from error
    # Of MP3 that doesn't tell its length, libsndfile's is an estimate.
    if mono.frames < frames and not file.subtype.startswith("MPEG"):
        raise UserError(f"damaged or cut off ({mono.frames} of {frames} samples)")
    return mono.samples()


class Mono16k:
    """Makes 16 kHz mono of a recording as it comes, so that no more of it need be in memory.

    Args:
        rate: of the recording, Hz.

    Raises:
        UserError: for a rate that can't be one of sound.
    """

    def __init__(self, rate: int) -> None:
        if not RATES[0] <= rate <= RATES[1]:
            raise UserError(f"a rate of {rate} Hz; from {RATES[0]} to {RATES[1]} are read")
        self.resampler = None
        if rate != SAMPLE_RATE:
            self.resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, quality="HQ")
        self.blocks: list[np.ndarray] = []
        self.frames = 0

    def add(self, block: np.ndarray) -> None:
        """The next ``(N,)`` or ``(N, channels)``; integers are fractions of their full scale.

        Raises:
            UserError: for samples that can't be sound.
        """
        self.frames += len(block)
        if block.dtype.kind == "i":
            block = block / (np.iinfo(block.dtype).max + 1)
        peak = _peak(block)
        if not np.isfinite(peak):
            raise UserError("samples that are not finite numbers")
        if peak > LOUDEST:
            raise UserError(f"samples as large as {peak:.0e}, which aren't sound")
        block = block.astype(np.float32)
        if block.ndim == 2:
            block = block.mean(axis=1)
        self.blocks.append(self.resampler.resample_chunk(block) if self.resampler else block)

    def samples(self) -> np.ndarray:
        """All of it, ``(M,)`` float32; beyond full scale it is scaled down as a whole."""
        nothing = np.empty(0, np.float32)
        self.blocks.append(
            self.resampler.resample_chunk(nothing, last=True) if self.resampler else nothing
        )
        samples = np.concatenate(self.blocks)
        self.blocks.clear()
        return _within_full_scale(samples)


def to_mono_16k(samples: np.ndarray, rate: int) -> np.ndarray:
    """``(N,)`` or ``(N, channels)`` at any rate in Hz to ``(M,)`` float32 at 16 kHz.

    Integers are taken as fractions of their full scale. A clip beyond full scale is scaled down as
    a whole, not clipped.

    Raises:
        UserError: for samples that can't be sound, or a rate that can't be one of sound.
    """
    mono, samples = Mono16k(rate), np.asarray(samples)
    for start in range(0, len(samples), BLOCK):
        mono.add(samples[start : start + BLOCK])
    return mono.samples()


def _peak(samples: np.ndarray) -> float:
    return float(max(samples.max(initial=0.0), -samples.min(initial=0.0)))


def _within_full_scale(samples: np.ndarray) -> np.ndarray:
    peak = _peak(samples)
    return samples / np.float32(peak) if peak > 1.0 else samples


def change_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """``(N,)`` at 16 kHz, played ``speed`` times as fast: ``(N / speed,)``."""
    if speed == 1.0:
        return samples
    return soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE, quality="HQ")


def to_int16(samples: np.ndarray) -> np.ndarray:
    """``(N,)`` float32 to 16 bit; a clip beyond full scale is scaled down as a whole, not clipped.

    What was read from 16 bit at 16 kHz comes back exactly.

    Raises:
        UserError: for clips too short for the encoders.
    """
    if len(samples) < MIN_SAMPLES:
        raise UserError(f"only {len(samples)} samples at 16 kHz, at least {MIN_SAMPLES} are needed")
    values = _within_full_scale(samples) * FULL_SCALE
    np.round(values, out=values)
    np.minimum(values, FULL_SCALE - 1, out=values)  # 1.0 is 32768, too
    return values.astype(np.int16)


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
        UserError: if there is no clip, or only the beginning of one.
    """
    samples = archive.read(place)
    if samples.dtype != np.int16:
        raise UserError(f"{place}: no clip: run stage 1 again")
    return samples.astype(np.float32) / FULL_SCALE


def audio_files(folder: str | Path) -> list[Path]:
    """The small files that change whenever audio of ``dump/<set>`` does."""
    return [Path(folder) / name for name in ("wav.scp", DIGESTS)]


def read_dump(folder: str | Path) -> Dump:
    """Open ``dump/<set>``.

    Raises:
        UserError: if files are missing or cut off.
    """
    folder = Path(folder)
    paths = read_column(folder / "wav.scp")
    dump = Dump(list(paths), paths, list(read_lengths(folder, paths).values()))
    _check_archives(dump)
    return dump


def _check_archives(dump: Dump) -> None:
    """Refuse archives that end before their last clip does; its rest would be missing unnoticed."""
    ends: dict[str, int] = {}
    for place, samples in zip(dump.paths.values(), dump.lengths, strict=True):
        file, _, offset = place.rpartition(":")
        end = int(offset) + archive.WAV_HEADER + 2 * samples
        ends[file] = max(end, ends.get(file, 0))
    for file, end in ends.items():
        size = os.path.getsize(file) if os.path.exists(file) else 0
        if size < end:
            raise UserError(f"{file}: {size} bytes, {end} were written: run stage 1 again")


def padded(clips: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Clips ``(N_b,)`` as one batch ``(B, N)``, zero padded, and their lengths ``(B,)``."""
    import torch

    speech = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(c) for c in clips], batch_first=True)
    return speech, torch.tensor([len(clip) for clip in clips])


def _reason(error: soundfile.LibsndfileError) -> str:
    """Without the name of what was opened, which is a number."""
    return error.error_string.rstrip(".")
