"""A batch that teaches little, or nothing, has a finite loss and finite gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tiny import batch, ser_model
from torch import Tensor

from sermtl.data.labels import NO_CLASS

Batch = dict[str, Tensor]
UNKNOWN_TOKEN = 1


def silent(data: Batch) -> None:
    data["speech"].zero_()


def constant(data: Batch) -> None:
    data["speech"].fill_(0.5)


def alone(data: Batch) -> None:
    for name, value in data.items():
        data[name] = value[:1]


def alike(data: Batch) -> None:
    for name, value in data.items():
        data[name] = value[:1].expand_as(value).clone()


def of_one_class(data: Batch) -> None:
    data["emotion"].fill_(1)


def one_without_text(data: Batch) -> None:
    data["text"][0], data["text_lengths"][0] = -1, 0


def without_text(data: Batch) -> None:
    data["text"], data["text_lengths"] = data["text"][:, :0], torch.zeros_like(data["text_lengths"])


def of_unknown_tokens(data: Batch) -> None:
    data["text"][data["text"] >= 0] = UNKNOWN_TOKEN


def one_too_short(data: Batch) -> None:
    """A frame, and two or more tokens."""
    data["speech_lengths"][2] = 400
    data["text_lengths"][2] = 3
    data["text"][2, :3] = torch.tensor([2, 3, 4])


def too_short(data: Batch) -> None:
    data["speech"], data["speech_lengths"] = data["speech"][:, :400], torch.full((4,), 400)
    data["text"] = torch.tensor([[2, 2, 3, 3]] * 4)
    data["text_lengths"] = torch.full((4,), 4)


def without(*tasks: str) -> Callable[[Batch], None]:
    def change(data: Batch) -> None:
        for task in tasks:
            if task == "asr":
                without_text(data)
            else:
                data[task].fill_(NO_CLASS)

    return change


BATCHES: dict[str, Callable[[Batch], None]] = {
    "silent": silent,
    "constant": constant,
    "one utterance": alone,
    "one silent utterance": lambda data: (alone(data), silent(data)),
    "identical utterances": alike,
    "one class": of_one_class,
    "one empty transcript": one_without_text,
    "empty transcripts": without_text,
    "unknown tokens": of_unknown_tokens,
    "one with fewer frames than tokens": one_too_short,
    "all with fewer frames than tokens": too_short,
    **{f"no {task}": without(task) for task in ("emotion", "gender", "speaker", "asr")},
    "no label": without("emotion", "gender", "speaker", "asr"),
}
SKIPPED = {"one with fewer frames than tokens": 1, "all with fewer frames than tokens": 4}
"""Transcripts that CTC can't learn."""


@pytest.mark.parametrize(("queue_size", "dtype"), [(0, "float32"), (4, "float32"), (4, "bfloat16")])
@pytest.mark.parametrize("name", BATCHES)
def test_loss_and_gradients_are_finite(name, queue_size, dtype):
    torch.manual_seed(0)
    model = ser_model(swfc={"queue_size": queue_size}, dtype=dtype).train()
    for seed in range(2):  # the second meets what the first has left in the queue
        model.zero_grad()
        data = batch(seed=seed)
        BATCHES[name](data)
        loss, stats, _ = model(**data)
        loss.backward()
        assert loss.isfinite()
        for parameter_name, parameter in model.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad.isfinite().all(), parameter_name
        for task in ("emotion", "gender", "speaker"):
            labelled = bool((data[task] != NO_CLASS).any())
            assert stats[f"loss_{task}"].isfinite() == labelled
        assert stats["ctc_skipped"] == SKIPPED.get(name, 0)
    for buffer_name, buffer in model.named_buffers():
        assert buffer.isfinite().all(), buffer_name


def test_undefined_features_stay_out_of_the_queue():
    """Else each of the next batches would have an undefined loss, until they are overwritten."""
    model = ser_model(swfc={"queue_size": 8}).train()
    data = batch()
    data["speech"][1, 50] = torch.nan
    loss, _, _ = model(**data)
    assert loss.isnan()
    assert model.swfc.queue_feats.isfinite().all()
    assert (model.swfc.queue_labels != NO_CLASS).sum() == 3
    loss, _, _ = model(**batch(seed=1))
    assert loss.isfinite()
