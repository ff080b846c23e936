"""A recording of an hour takes no more memory than stated; many predictions leave nothing there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import kaldiio
import long_recordings
import numpy as np
import pytest
import soundfile
from own_memory import in_fresh_process
from tiny_corpus import arguments, write
from tiny_whisper import write_checkpoint

from sermtl.data.datadir import read_column, write_column

SAMPLES = 64_000 / 1024**2  # MB of a second: float32 at 16 kHz; 220 MB of an hour
BESIDES = 100  # MB for what doesn't grow with the recording: buffers, a batch of 120 s


@pytest.fixture(scope="session")
def seconds(long_form: bool) -> int:
    """Of a long recording: an hour, or ten minutes where there is less time."""
    return 3600 if long_form else 600


def add_long(folder: Path, utt_id: str, seconds: int) -> None:
    """Give an utterance of a dumped set that many seconds of noise."""
    folder.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).integers(-3000, 3000, seconds * 16_000).astype(np.int16)
    with open(folder / "long.ark", "wb") as stream:
        kaldiio.save_ark(stream, {utt_id: (16_000, noise)})
    columns = {"wav.scp": f"{folder / 'long.ark'}:{len(utt_id) + 1}"}
    columns["speech_shape"] = str(len(noise))
    for name, value in columns.items():
        others = read_column(folder / name) if (folder / name).exists() else {}
        write_column(folder / name, {**others, utt_id: value})


@pytest.mark.parametrize(
    ("rate", "channels", "form"),
    [
        (16_000, 1, {"subtype": "PCM_16"}),
        (48_000, 2, {"subtype": "PCM_24"}),
        (48_000, 2, {"subtype": "FLOAT"}),
        (22_050, 16, {"subtype": "PCM_16"}),
    ],
)
def test_stage_1(tmp_path, seconds, rate, channels, form):
    """Twice the samples at 16 kHz, whatever they are made of."""
    path = long_recordings.write(tmp_path / "long.wav", seconds, rate, channels, **form)
    limit = 2.5 * SAMPLES * seconds + BESIDES
    assert in_fresh_process(long_recordings.stage_1, path) < limit


def test_stage_1_through_ffmpeg(tmp_path, seconds):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    source, path = tmp_path / "long.wav", tmp_path / "long.m4a"
    soundfile.write(source, np.zeros((seconds * 8000, 1), np.int16), 8000)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", source, path]
    subprocess.run(command, check=True)
    limit = 2.5 * SAMPLES * seconds + BESIDES
    assert in_fresh_process(long_recordings.stage_1, path) < limit


def test_stage_2(tmp_path, seconds):
    """Whisper computes the spectrum of all of a recording before it goes through its windows."""
    path = long_recordings.write(tmp_path / "long.wav", seconds)
    checkpoint = write_checkpoint(tmp_path / "whisper.pt")
    limit = 8 * SAMPLES * seconds + BESIDES
    assert in_fresh_process(long_recordings.stage_2, path, checkpoint) < limit


def test_predicting(trained, tmp_path, seconds):
    path = long_recordings.write(tmp_path / "long.wav", seconds)
    limit = 2 * SAMPLES * seconds + BESIDES
    assert in_fresh_process(long_recordings.predict, trained, [path], 30.0, 3600) < limit


def test_predicting_many(trained, tmp_path):
    """The look-ahead is bounded by seconds: no more of them at once than that and the last one."""
    path = long_recordings.write(tmp_path / "long.wav", 300)
    limit = 3 * SAMPLES * 300 + BESIDES
    assert in_fresh_process(long_recordings.predict, trained, [path] * 9, 30.0, 300) < limit


def test_stage_6(trained, tmp_path, seconds):
    dump = tmp_path / "dump"
    add_long(dump, "u", seconds)
    write_column(dump / "utt2num_samples", {"u": str(seconds * 16_000)})
    (tmp_path / "out").mkdir()
    options = ["--model", str(trained), "--weights", "final.pth", "--dump", str(dump)]
    options += ["--output", str(tmp_path / "out"), "--batch_seconds", "120", "--window", "30"]
    needed = in_fresh_process(long_recordings.stage_6, [*options, "--shard=1", "--shards=1"])
    assert needed < 2 * SAMPLES * seconds + 200


@pytest.mark.parametrize("part", ["train", "valid"])
def test_training(tmp_path, part):
    """With an hour in the list it takes the hour's samples in 16 bit, and no more."""
    data = tmp_path / "data"
    write(data)
    options = arguments(data, tmp_path / "without", max_epoch=1)
    before = in_fresh_process(long_recordings.train, options)
    add_long(data / part, f"{part}02", 3600)
    options = arguments(data, tmp_path / "with", max_epoch=1)
    assert in_fresh_process(long_recordings.train, options) - before < SAMPLES * 3600


def test_many_predictions_leave_nothing(long_form):
    more = in_fresh_process(long_recordings.many_predictions, 10_000 if long_form else 600)
    assert more["megabytes"] < 20
    assert more["files"] == more["threads"] == 0
    assert more["objects"] < 1000 and more["temporary files"] == 0
