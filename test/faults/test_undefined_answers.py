"""A model whose weights or scores aren't numbers gives no answer, but a reason."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest
import soundfile

from sermtl import EmotionRecognizer, UserError
from sermtl.bin import infer_shard
from sermtl.cli import main
from sermtl.inference import part_files
from sermtl.training import checkpoint

TOO_LARGE = 3.4e38  # for products in float32; by itself infinite in bfloat16


@pytest.fixture
def spoilt(trained, tmp_path):
    """Makes of the experiment one whose weights have a tensor with odd numbers."""

    def spoil(name: str, value: float, numbers: int | None = None):
        shutil.copytree(trained, tmp_path / "exp")
        weights = tmp_path / "exp" / "final.pth"
        state = checkpoint.load(weights)
        state[name].view(-1)[:numbers] = value
        weights.unlink()  # a link
        checkpoint.save(weights, state)
        return tmp_path / "exp"

    return spoil


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "name", ["layer_mixing.logits", "branches.asr.lstm.weight_ih_l0", "swfc.queue_feats"]
)
def test_undefined_weights_are_refused(spoilt, name, value):
    with pytest.raises(UserError, match=rf"final\.pth: 1 of .* weights, {name} for one"):
        EmotionRecognizer.from_pretrained(spoilt(name, value, 1))


OVERFLOWING = ["branches.emotion.classifier.weight", "branches.asr.classifier.weight"]


@pytest.mark.parametrize("name", [*OVERFLOWING, "pooled_norm.weight"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_scores_that_overflow_are_no_answer(spoilt, clips, name, dtype):
    recognizer = EmotionRecognizer.from_pretrained(spoilt(name, TOO_LARGE), dtype=dtype)
    with pytest.raises(UserError, match=f"{clips[0]}: the model's numbers for it are infinite"):
        recognizer(clips[0])
    found = list(recognizer.stream([clips[0], b"nothing", clips[1]], errors="return"))
    assert all(isinstance(answer, UserError) for answer in found)


def test_predict_tells_of_each_recording(spoilt, clips, capsys):
    exp = spoilt("pooled_norm.weight", TOO_LARGE)
    with pytest.raises(SystemExit):
        main(["predict", str(exp), str(clips[0]), str(clips[1])])
    told = capsys.readouterr()
    assert not told.out
    assert f"{clips[1]}: the model's numbers for it are infinite" in told.err


def test_stage_6_leaves_no_table(spoilt, training_data, tmp_path):
    exp = spoilt("pooled_norm.weight", TOO_LARGE)
    (tmp_path / "out").mkdir()
    options = ["--model", str(exp), "--weights", "final.pth", "--output", str(tmp_path / "out")]
    options += ["--dump", str(training_data / "valid"), "--batch_seconds", "120", "--window", "30"]
    with pytest.raises(UserError, match=r"valid0\d: the model's numbers"):
        infer_shard.main([*options, "--shard", "1", "--shards", "1"])
    assert not any(file.exists() for file in part_files(tmp_path / "out", 1))


@pytest.mark.parametrize("factor", [1e3, 2e9])
def test_loud_samples_are_scaled_as_in_stage_1(recognizer, clips, factor):
    """In a model that doesn't normalise they would be another recording."""
    samples, rate = soundfile.read(clips[0], dtype="float32")
    samples /= np.abs(samples).max()
    quiet, loud = recognizer((samples, rate)), recognizer((samples * np.float32(factor), rate))
    assert loud.scores == pytest.approx(quiet.scores, abs=1e-5)
    silence = recognizer((np.zeros_like(samples), rate))
    assert silence.scores != pytest.approx(quiet.scores, abs=1e-4)
