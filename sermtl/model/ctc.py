"""Greedy CTC decoding."""

from __future__ import annotations

from torch import Tensor

from sermtl.model.ser_model import BLANK


def greedy_tokens(logits: Tensor, lengths: Tensor) -> list[list[int]]:
    """Best token of each frame, repeats merged, blanks dropped.

    Args:
        logits: ``(B, T, tokens)``.
        lengths: ``(B,)`` frames.
    """
    best = logits.argmax(-1).tolist()
    hypotheses = []
    for row, length in zip(best, lengths.tolist(), strict=True):
        row = row[:length]
        previous = [BLANK, *row]
        hypotheses.append([t for t, p in zip(row, previous, strict=False) if t not in (BLANK, p)])
    return hypotheses
