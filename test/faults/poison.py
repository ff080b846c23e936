"""Numbers that aren't, put into a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from sermtl.bin.ser_train import main
from sermtl.data.preprocessor import SERPreprocessor
from sermtl.errors import run_main
from sermtl.model.ser_model import SERModel

Fault = Callable[[SERModel, tuple], tuple]
"""Changes what a model's forward pass in training returns."""


def nan_loss(model: SERModel, result: tuple) -> tuple:
    return result[0] * torch.nan, *result[1:]


def infinite_loss(model: SERModel, result: tuple) -> tuple:
    return result[0] / 0, *result[1:]


def gradient(value: float) -> Fault:
    """That of one small parameter becomes this number."""

    def fault(model: SERModel, result: tuple) -> tuple:
        def replaced(gradient: Tensor) -> Tensor:
            handle.remove()
            return torch.full_like(gradient, value)

        handle = model.branches["gender"].classifier.bias.register_hook(replaced)
        return result

    return fault


@contextmanager
def in_steps(steps: Sequence[int], fault: Fault) -> Iterator[None]:
    """The fault in these forward passes of training, numbered from 0."""
    forward, passed = SERModel.forward, 0

    def faulty(self: SERModel, **batch: Any) -> tuple:
        nonlocal passed
        result = forward(self, **batch)
        if passed in steps:
            result = fault(self, result)
        passed += 1
        return result

    with mock.patch.object(SERModel, "forward", faulty):
        yield


@contextmanager
def samples(values: Mapping[str, float]) -> Iterator[None]:
    """These utterances begin with such samples, in training and in validation."""
    clean = SERPreprocessor.__call__

    def poisoned(self: SERPreprocessor, utt_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
        sample = clean(self, utt_id, data)
        sample["speech"] = sample["speech"].astype(np.float32) / 2**15
        if utt_id in values:
            sample["speech"][:100] = values[utt_id]
        return sample

    with mock.patch.object(SERPreprocessor, "__call__", poisoned):
        yield


def train(rank: int, arguments: Sequence[str], values: Mapping[str, float]) -> None:
    """``ser_train``, one of several, with `samples`."""
    with samples(values):
        run_main(lambda: main([*arguments, "--dist_rank", str(rank)]))
