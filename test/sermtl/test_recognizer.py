"""A trained model's answers: one at a time, in batches, in shards, packed, and from the shell."""

import csv
import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from sermtl import EmotionRecognizer, UserError
from sermtl.bin import infer_shard
from sermtl.data.datadir import read_column
from sermtl.inference import batches, merge, part_files


def same(one, other):
    assert one.emotion == other.emotion
    assert one.scores == pytest.approx(other.scores, abs=1e-5)
    assert one.transcript == other.transcript
    np.testing.assert_allclose(one.speaker_embedding, other.speaker_embedding, atol=1e-4)


def test_a_prediction_has_every_task(recognizer, clips):
    p = recognizer(clips[0])
    assert p.emotion in ("A", "H", "N")
    assert sum(p.scores.values()) == pytest.approx(1)
    assert p.scores[p.emotion] == max(p.scores.values())
    assert p.gender in ("female", "male") and 0.5 <= p.gender_score <= 1
    assert p.speaker_embedding.shape == (8,)
    assert sum(p.task_weights.values()) == pytest.approx(1)
    assert isinstance(p.transcript, str)


def test_stream_keeps_the_order_and_equals_single_calls(recognizer, clips):
    answers = list(recognizer.stream(iter(clips), batch_seconds=0.8, pool=4))
    assert len(answers) == len(clips)
    for clip, answer in zip(clips, answers, strict=True):
        same(recognizer(clip), answer)


def test_path_array_and_file_object_are_alike(recognizer, clips):
    samples, rate = soundfile.read(clips[0], dtype="float32")
    content = clips[0].read_bytes()
    for audio in (str(clips[0]), (samples, rate), io.BytesIO(content), content):
        same(recognizer(clips[0]), recognizer(audio))


@pytest.mark.parametrize("name", ["gone.wav", "short.wav"])
def test_bad_audio_is_named(recognizer, tmp_path, name):
    soundfile.write(tmp_path / "short.wav", np.zeros(399), 16000)
    with pytest.raises(UserError, match=name):
        recognizer(tmp_path / name)


def test_audio_without_numbers_is_refused(recognizer):
    samples = np.zeros(8000, dtype=np.float32)
    samples[5] = np.nan
    with pytest.raises(UserError, match="not finite"):
        recognizer((samples, 16000))


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ((np.zeros((2, 8000), np.float32), 16000), r"shape \(2, 8000\), not \(N,\) or \(N, ch"),
        ((np.zeros(8000, np.float32), 0), "a rate of 0 Hz"),
        (b"RIFF and nothing", "the recording"),
        (b"", "the recording"),
    ],
)
def test_what_is_no_recording_is_told(recognizer, audio, message):
    with pytest.raises(UserError, match=message):
        recognizer(audio)


def test_rates_and_channels(recognizer, clips, tmp_path):
    samples, rate = soundfile.read(clips[0], dtype="float32")
    soundfile.write(tmp_path / "stereo.flac", np.stack([samples, samples], 1), rate)
    same(recognizer(clips[0]), recognizer(tmp_path / "stereo.flac"))
    wide = np.repeat(samples, 3)  # no good resampling, but of the same length
    assert recognizer((wide, 3 * rate)).duration == pytest.approx(len(samples) / rate, abs=1e-3)


def test_a_long_recording_is_cut_into_windows(recognizer, clips):
    parts = [soundfile.read(clip, dtype="float32")[0] for clip in clips[:5]]
    samples = np.concatenate(parts * 4)
    p = recognizer((samples, 16000), window=1.0)
    assert p.duration == pytest.approx(len(samples) / 16000)
    assert len(p.windows) > 3
    assert p.windows[0].start == 0 and p.windows[-1].end == pytest.approx(p.duration)
    for window in p.windows:
        first, last = round(window.start * 16000), round(window.end * 16000)
        same(window.prediction, recognizer((samples[first:last], 16000)))
    lengths = [w.end - w.start for w in p.windows]
    for emotion, score in p.scores.items():
        of_windows = [w.prediction.scores[emotion] for w in p.windows]
        assert score == pytest.approx(np.average(of_windows, weights=lengths), abs=1e-5)
    assert p.transcript == " ".join(t for w in p.windows if (t := w.prediction.transcript))
    with pytest.raises(UserError, match="a second or more"):
        recognizer(clips[0], window=0.5)


def test_dumped_clips_are_cut_like_recordings(recognizer, clips):
    """In one call, a batch of stage 6, with others that aren't."""
    parts = [soundfile.read(clip, dtype="float32")[0] for clip in clips[:5]]
    samples = np.concatenate(parts * 2)
    long, short = recognizer.recognize([samples, parts[0]], batch_seconds=0.8, window=1.0)
    same(long, recognizer((samples, 16000), window=1.0))
    assert len(long.windows) > 1 and not short.windows
    same(short, recognizer(clips[0]))


def test_a_stream_goes_on_after_bad_recordings(recognizer, clips):
    mixed = [clips[0], "gone.wav", clips[1], b"nothing", clips[2]]
    found = list(recognizer.stream(mixed, errors="return"))
    assert [isinstance(p, UserError) for p in found] == [False, True, False, True, False]
    for clip, place in zip(clips[:3], (0, 2, 4), strict=True):
        same(recognizer(clip), found[place])
    assert "gone.wav" in str(found[1])


def test_a_stream_answers_what_comes_before_an_error(recognizer, clips):
    found = []
    with pytest.raises(UserError, match=r"gone\.wav"):
        for p in recognizer.stream([clips[0], clips[1], "gone.wav", clips[2]]):
            found.append(p)
    assert len(found) == 2


def test_a_stream_reads_no_further_than_it_must(recognizer, clips):
    taken = []
    stream = recognizer.stream((taken.append(c) or c for c in clips), pool=2)
    assert taken == []
    next(stream)
    assert len(taken) == 2


def test_computing_in_another_type(trained, recognizer, clips):
    half = EmotionRecognizer.from_pretrained(trained, dtype="bfloat16")
    assert half.model.dtype == torch.bfloat16
    exact, near = recognizer(clips[0]), half(clips[0])
    assert near.scores != exact.scores
    assert near.scores == pytest.approx(exact.scores, abs=0.05)
    with pytest.raises(UserError, match="'float16' is none of float32, bfloat16"):
        EmotionRecognizer.from_pretrained(trained, dtype="float16")


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_named(trained, device):
    with pytest.raises(UserError, match=device):
        EmotionRecognizer.from_pretrained(trained, device)


def test_damaged_weights_are_named(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "exp", symlinks=True)
    weights = (tmp_path / "exp" / "final.pth").resolve()
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"final\.pth: damaged"):
        EmotionRecognizer.from_pretrained(tmp_path / "exp")


def test_sharding_changes_nothing(trained, training_data, tmp_path):
    tables = []
    for shards in (1, 3):
        output = tmp_path / str(shards)
        output.mkdir()
        for shard in range(1, shards + 1):
            options = ["--model", str(trained), "--weights", "final.pth"]
            options += ["--dump", str(training_data / "valid"), "--output", str(output)]
            options += [
                "--batch_seconds",
                "0.8",
                "--window",
                "30",
                "--shard",
                str(shard),
                "--shards",
                str(shards),
            ]
            infer_shard.main(options)
        written = merge(output, shards, list(read_column(training_data / "valid" / "wav.scp")))
        assert [path.name for path in written] == ["predictions.csv", "speaker_embeddings.npz"]
        assert not list(output.glob("part.*"))
        tables.append((output / "predictions.csv").read_text())
    assert tables[0] == tables[1]
    (header, *rows) = csv.reader(io.StringIO(tables[0]))
    assert header[:5] == ["id", "emotion", "prob_A", "prob_H", "prob_N"]
    assert header[-1] == "transcript"
    assert [row[0] for row in rows] == list(read_column(training_data / "valid" / "wav.scp"))
    layers = json.loads((trained / "layer_weights.json").read_text())["weights"]
    assert len(layers) == 3 and sum(layers) == pytest.approx(1)


def test_a_missing_shard_is_no_result(tmp_path):
    for file in part_files(tmp_path, 1):
        file.touch()
    with pytest.raises(UserError, match="no prediction"):
        merge(tmp_path, 1, ["u1"])


def test_batches_are_within_the_limit_and_hold_everything_once():
    lengths = [16000, 400, 48000, 8000, 160000, 8000]
    parts = batches(lengths, 3.0)
    assert sorted(i for part in parts for i in part) == list(range(len(lengths)))
    for part in parts:
        assert len(part) == 1 or max(lengths[i] for i in part) * len(part) <= 3 * 16000


def test_importing_the_package_loads_no_torch():
    code = "import sermtl, sermtl.cli, sys; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
