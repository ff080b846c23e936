"""Random spans to mask in training (SpecAugment; Park et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor


def random_spans(lengths: Tensor, size: int, probability: float, span: int, minimum: int) -> Tensor:
    """Spans drawn per row, without replacement of their starts, as transformers draws them.

    Args:
        lengths: ``(B,)`` positions of each row that spans may cover.
        size: width of the mask.
        probability: expected share of positions at span starts times ``span`` (overlaps reduce it).
        span: positions per span; rows shorter than one span stay unmasked.
        minimum: least number of spans per row.

    Returns:
        ``(B, size)`` mask on ``lengths``' device, true where masked.
    """
    mask = torch.zeros(len(lengths), size, dtype=torch.bool)
    for row, length in zip(mask, lengths.tolist(), strict=True):
        count = max(int(probability * length / span + torch.rand(()).item()), minimum)
        starts = torch.randperm(max(length - span + 1, 0))[: min(count, length // span)]
        row[(starts[:, None] + torch.arange(span)).flatten()] = True
    return mask.to(lengths.device)
