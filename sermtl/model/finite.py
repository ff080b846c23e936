"""Telling numbers from what only looks like one: infinite and undefined values."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def finite_rows(*tensors: Tensor) -> Tensor:
    """``(B,)``, whether all that the tensors ``(B, ...)`` have of an utterance is finite."""
    return torch.stack([tensor.flatten(1).isfinite().all(1) for tensor in tensors]).all(0)


def name_odd(ids: Sequence[str], finite: Tensor) -> None:
    """Log which utterances of a batch have odd numbers; where all have, none is to blame.

    Args:
        ids: of the batch.
        finite: ``(B,)``, from `finite_rows`.
    """
    odd = [utt_id for utt_id, fine in zip(ids, finite.tolist(), strict=True) if not fine]
    if 0 < len(odd) < len(ids):
        logging.error(f"infinite or undefined numbers come of {' '.join(odd)}")


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors that hold an infinite or undefined number."""
    return [
        name
        for name, tensor in tensors.items()
        # An extreme is undefined where any number is; a mask would take a quarter of the memory.
        if tensor.is_floating_point()
        and tensor.numel()
        and not torch.stack(tensor.aminmax()).isfinite().all()
    ]
