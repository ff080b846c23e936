"""Numbers that aren't stop training with a reason or are left out of it, counted and named.

Faults are injected into trainings of a second each.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from tiny_corpus import arguments, write
from torch import Tensor

from sermtl.data.preprocessor import SERPreprocessor
from sermtl.errors import UserError
from sermtl.model.ser_model import SERModel
from sermtl.training import checkpoint
from sermtl.training.task import SERTask

STEPS = 4  # of an epoch: 14 utterances in batches of 4


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


@contextmanager
def samples_of(poison: dict[str, float]) -> Iterator[None]:
    """Utterances whose first samples are these numbers."""
    clean = SERPreprocessor.__call__

    def poisoned(self, utt_id, values):
        sample = clean(self, utt_id, values)
        sample["speech"] = sample["speech"].astype(np.float32) / 2**15
        if utt_id in poison:
            sample["speech"][:100] = poison[utt_id]
        return sample

    with mock.patch.object(SERPreprocessor, "__call__", poisoned):
        yield


def nan_loss(model: SERModel, result: tuple) -> tuple:
    return result[0] * torch.nan, *result[1:]


def inf_loss(model: SERModel, result: tuple) -> tuple:
    return result[0] / 0, *result[1:]


def gradient(value: float):
    def spoil(model: SERModel, result: tuple) -> tuple:
        parameter = model.branches["gender"].classifier.bias

        def replace(gradient: Tensor) -> Tensor:
            handle.remove()
            return torch.full_like(gradient, value)

        handle = parameter.register_hook(replace)
        return result

    return spoil


FAULTS = {
    "nan loss": nan_loss,
    "infinite loss": inf_loss,
    "infinite gradient": gradient(torch.inf),
    "nan gradient": gradient(torch.nan),
    "gradient whose norm overflows": gradient(1e30),
}


@contextmanager
def in_steps(steps: set[int], fault) -> Iterator[None]:
    """The fault in these forward passes of training, numbered from 0."""
    forward, passed = SERModel.forward, 0

    def faulty(self, **batch):
        nonlocal passed
        result = forward(self, **batch)
        if passed in steps:
            result = fault(self, result)
        passed += 1
        return result

    with mock.patch.object(SERModel, "forward", faulty):
        yield


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("steps", "accum_grad", "counts"),
    [({1}, 1, [1, 0]), ({0, 1, 7}, 1, [2, 1]), ({2}, 2, [1, 0]), ({3}, 2, [1, 0])],
)
def test_a_faulty_step_is_left_out_and_counted(
    data, tmp_path, caplog, fault, steps, accum_grad, counts
):
    with in_steps(steps, FAULTS[fault]), caplog.at_level(logging.INFO):
        history = train(data, tmp_path, accum_grad=accum_grad)
    assert skipped(history) == counts
    lines = [r.getMessage() for r in caplog.records if "epoch 1/2" in r.getMessage()]
    assert f"steps left out {counts[0]} " in lines[-1]
    assert_sound(tmp_path)


@pytest.mark.parametrize("fault", FAULTS)
def test_an_epoch_of_faulty_steps_ends_the_training(data, tmp_path, fault):
    """What it had before stays: the next run begins with the same epoch."""
    with (
        in_steps(set(range(STEPS, 2 * STEPS)), FAULTS[fault]),
        pytest.raises(UserError, match="every step of epoch 2"),
    ):
        train(data, tmp_path, max_epoch=3)
    assert checkpoint.load(tmp_path / "checkpoint.pth")["reporter"]["epoch"] == 1
    history = train(data, tmp_path, max_epoch=3)
    assert skipped(history) == [0, 0, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_a_poisoned_utterance_is_named(data, tmp_path, caplog, value):
    as_they_are = {"model": {"normalize": False}}  # normalised, 1e30 / 1e36 is no fault
    with samples_of({"train05": value}):
        history = train(data, tmp_path, frontend_conf=as_they_are)
    assert skipped(history) == [1, 1]
    assert "train05" in caplog.text and "train04" not in caplog.text
    assert_sound(tmp_path)
