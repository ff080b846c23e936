"""Training leaves out the steps that aren't numbers, counted and named, or stops and says why."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from unittest import mock

import poison
import pytest
import torch
from ranks import started
from tiny_corpus import arguments, write

from sermtl.data.datadir import read_column, write_column
from sermtl.errors import UserError
from sermtl.training import checkpoint
from sermtl.training.task import SERTask

STEPS = 4  # of an epoch: 14 utterances in batches of 4
FAULTS = {
    "nan loss": poison.nan_loss,
    "infinite loss": poison.infinite_loss,
    "infinite gradient": poison.gradient(math.inf),
    "nan gradient": poison.gradient(math.nan),
    "gradient whose norm overflows": poison.gradient(1e30),
}
NOT_NORMALIZED = {"model": {"normalize": False}}
"""As an encoder's option; divided by their deviation, huge samples would be no fault."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write(folder)
    return folder


def train(data: Path, output: Path, **changes: object) -> list[dict]:
    """Two epochs; the history."""
    SERTask.main(cmd=arguments(data, output, **{"max_epoch": 2, **changes}))
    return json.loads((output / "history.json").read_text())


def skipped(history: list[dict]) -> list[int]:
    return [epoch["train"]["skipped_steps"] for epoch in history]


def assert_sound(output: Path) -> None:
    """All that is kept is finite."""
    states = checkpoint.load(output / "checkpoint.pth")
    tensors = {**states["model"], **checkpoint.load(output / "final.pth")}
    for optimizer in states["optimizers"]:
        for number, values in optimizer["state"].items():
            tensors |= {f"{number} {k}": v for k, v in values.items() if torch.is_tensor(v)}
    assert not [name for name, value in tensors.items() if not value.isfinite().all()]


def assert_nothing_saved(output: Path) -> None:
    assert not [*output.glob("*.pth"), *output.glob("history.json")]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("steps", "accum_grad", "counts"),
    [({0, 1, 7}, 1, [2, 1]), ({3, 4, 5}, 2, [1, 1])],
)
def test_a_faulty_step_is_left_out(data, tmp_path, caplog, fault, steps, accum_grad, counts):
    with poison.in_steps(steps, FAULTS[fault]), caplog.at_level(logging.INFO):
        history = train(data, tmp_path, accum_grad=accum_grad)
    assert skipped(history) == counts
    shown = [r.getMessage() for r in caplog.records if "[progress] epoch 1/2" in r.getMessage()]
    assert f"steps left out {counts[0]} " in shown[-1]
    assert caplog.text.count("is left out: its gradient") == sum(counts)
    assert_sound(tmp_path)


@pytest.mark.parametrize("fault", FAULTS)
def test_an_epoch_of_faulty_steps_ends_the_training(data, tmp_path, fault):
    """What it had before stays: the next run begins with the same epoch."""
    with (
        poison.in_steps(range(STEPS, 2 * STEPS), FAULTS[fault]),
        pytest.raises(UserError, match=r"every step of epoch 2 .* Epoch 1 is still there"),
    ):
        train(data, tmp_path, max_epoch=3)
    assert checkpoint.load(tmp_path / "checkpoint.pth")["reporter"]["epoch"] == 1
    assert skipped(train(data, tmp_path, max_epoch=3)) == [0, 0, 0]


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_a_poisoned_utterance_is_named(data, tmp_path, caplog, value):
    with poison.samples({"train05": value}):
        history = train(data, tmp_path, frontend_conf=NOT_NORMALIZED)
    assert skipped(history) == [1, 1]
    assert "undefined numbers come of train05\n" in caplog.text
    assert_sound(tmp_path)


@pytest.mark.parametrize("value", [math.nan, 1e30])
def test_undefined_scores_are_no_answers_in_validation(data, tmp_path, value):
    with (
        poison.samples({"valid02": value}),
        pytest.raises(UserError, match="numbers for 1 of 6 validation utterances, valid02"),
    ):
        train(data, tmp_path, frontend_conf=NOT_NORMALIZED)
    assert_nothing_saved(tmp_path)


@pytest.mark.parametrize(
    ("lr", "message"),
    [(1e30, "6 of 6 validation utterances"), (1e38, r"weights, .* undefined after epoch 1: try")],
)
def test_divergence_stops_before_it_is_saved(data, tmp_path, lr, message):
    """After one step at such a rate no other has a gradient, and validation no answers."""
    rates = {"optim_conf": {"lr": lr}, "encoder_lr": lr, "scheduler": None}
    with pytest.raises(UserError, match=message):
        train(data, tmp_path, **rates)
    assert_nothing_saved(tmp_path)


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        (3.4e38, "bfloat16", "every step of epoch 1 .* float32. Nothing was saved"),
        (math.nan, "float32", "undefined before training"),
        (math.inf, "bfloat16", "undefined before training"),
    ],
)
def test_weights_that_overflow_are_told(data, tmp_path, value, dtype, message):
    """The largest numbers of float32 are infinite in bfloat16."""
    build = SERTask.build_model

    def spoilt(args):
        model = build(args)
        model.branches["emotion"].classifier.weight.data.fill_(value)
        return model

    with (
        mock.patch.object(SERTask, "build_model", spoilt),
        pytest.raises(UserError, match=message),
    ):
        train(data, tmp_path, model_conf={"dtype": dtype})
    assert_nothing_saved(tmp_path)


def test_more_batches_to_a_step_than_an_epoch_has_are_refused(data, tmp_path):
    """No step would be taken, whatever the gradients."""
    with pytest.raises(UserError, match="accum_grad 5: an epoch has 4 batches"):
        train(data, tmp_path, accum_grad=5)


def test_clips_too_short_for_their_text_are_counted(tmp_path, caplog):
    """Over the epoch, not in the mean batch."""
    write(tmp_path / "data")
    text = tmp_path / "data" / "train" / "text"
    texts = dict.fromkeys(read_column(text), "ab") | dict.fromkeys(["train00", "train04"], "ab" * 9)
    write_column(text, texts)
    with caplog.at_level(logging.INFO):
        history = train(tmp_path / "data", tmp_path / "exp")
    assert [epoch["train"]["ctc_skipped"] for epoch in history] == [2, 2]
    assert "clips too short for their text 2 " in caplog.text


def both(data: Path, output: Path, values: dict[str, float], **changes: object) -> list[str]:
    """Two processes' logs."""
    options = arguments(data, output, **changes)
    options += ["--multiprocessing_distributed", "false", "--dist_world_size", "2"]
    options += ["--dist_backend", "gloo", "--dist_init_method", f"file://{output / 'meeting'}"]
    with started(poison.train, 2, output / "logs", options, values) as processes:
        for process in processes:
            process.join(120)
    return [(output / "logs" / f"{rank}.log").read_text() for rank in range(2)]


def test_two_processes_leave_out_what_one_does(data, tmp_path):
    changes = {"max_epoch": 2, "model_conf": {"dropout": 0.0}}
    values = {"train05": math.nan}
    logs = both(data, tmp_path / "two", values, **changes)
    with poison.samples(values):
        one = train(data, tmp_path / "one", **changes)
    two = json.loads((tmp_path / "two" / "history.json").read_text())
    assert skipped(one) == skipped(two) == [1, 1]
    assert any("undefined numbers come of train05\n" in log for log in logs)
    states = [
        checkpoint.load(tmp_path / name / "checkpoint.pth")["model"] for name in ("one", "two")
    ]
    torch.testing.assert_close(states[1], states[0], atol=2e-6, rtol=1e-5)


def test_two_processes_stop_alike(data, tmp_path):
    for log in both(data, tmp_path, {"valid02": math.nan}):
        assert "1 of 6 validation utterances, valid02" in log.splitlines()[-1]
    assert_nothing_saved(tmp_path)
