"""Work on long recordings and on many short ones, for fresh processes: MB that it takes."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch
from own_memory import Peak, resident, status
from tiny import CLASSES, COUNTS, TOKENS, WAVLM

SECOND = 16_000
BLOCK = 10  # seconds written at once


def write(path: Path, seconds: int, rate: int = SECOND, channels: int = 1, **form: str) -> Path:
    """Noise, the same again every ten seconds."""
    noise = np.random.default_rng(0).normal(0, 0.05, (BLOCK * rate, channels)).astype(np.float32)
    with soundfile.SoundFile(path, "w", rate, channels, **form) as file:
        for _ in range(seconds // BLOCK):
            file.write(noise)
    return path


def stage_1(path: Path) -> int:
    """What a worker does."""
    from sermtl.data.dump import _write_shard
    from sermtl.data.utterance import Utterance

    utterance = Utterance("u", str(path), "test")
    with Peak() as peak:
        assert _write_shard([utterance], path.with_suffix(".ark")).samples
    return peak.megabytes


def stage_2(path: Path, checkpoint: Path) -> int:
    from sermtl.data.audio import read_audio
    from sermtl.transcription.guards import Guards
    from sermtl.transcription.whisper import Transcriber

    torch.set_num_threads(1)
    transcriber = Transcriber(str(checkpoint), guards=Guards(temperatures=(0.0,)))
    clip = read_audio(path)
    list(transcriber({"short": clip[: 30 * SECOND]}))
    with Peak() as peak:
        list(transcriber({"long": clip}))
    return peak.megabytes


def predict(exp: Path, paths: Sequence[Path], window: float, read_ahead: int) -> int:
    """Recordings by a stream, which reads so many seconds ahead."""
    from sermtl import EmotionRecognizer, recognizer

    torch.set_num_threads(1)
    recognizer.READ_AHEAD = read_ahead * SECOND
    model = EmotionRecognizer.from_pretrained(exp)
    list(model.stream([(np.zeros(30 * SECOND, np.float32), SECOND)] * 4))  # a full batch
    with Peak() as peak:
        for answer in model.stream(paths, window=window):
            assert len(answer.windows) > 1
    return peak.megabytes


def stage_6(options: Sequence[str]) -> int:
    from sermtl.bin import infer_shard

    with Peak() as peak:
        infer_shard.main(options)
    return peak.megabytes


def train(arguments: Sequence[str]) -> int:
    from sermtl.training.task import SERTask

    torch.set_num_threads(1)
    with Peak() as peak:
        SERTask.main(cmd=arguments)
    return peak.megabytes


def many_predictions(number: int) -> dict[str, int]:
    """What more there is after them than after the first ten."""
    from sermtl import EmotionRecognizer
    from sermtl.model.ser_model import SERModel
    from sermtl.model.ssl_frontend import SSLFrontend

    torch.set_num_threads(1)
    encoder = SSLFrontend({**WAVLM, "conv_dim": [64] * 7})
    recognizer = EmotionRecognizer(SERModel(encoder, CLASSES, COUNTS, TOKENS).eval())
    random = np.random.default_rng(0)
    tempfile.tempdir = tempfile.mkdtemp()  # this process's own
    path = Path(tempfile.mkdtemp()) / "clip.wav"

    def recognise(times: int) -> dict[str, int]:
        for i in range(times):
            samples = random.normal(0, 0.1, random.integers(8_000, 32_000)).astype(np.float32)
            soundfile.write(path, samples, SECOND)
            kinds = path, path.read_bytes(), (samples, SECOND)
            recognizer(kinds[i % 3])
        return {
            "megabytes": resident(),
            "files": len(os.listdir("/proc/self/fd")),
            "threads": status("Threads"),
            "objects": len(gc.get_objects()),
            "temporary files": len(os.listdir(tempfile.gettempdir())),
        }

    before, after = recognise(10), recognise(number)
    return {name: after[name] - before[name] for name in before}
