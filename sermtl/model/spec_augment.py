"""Random spans to mask in training (SpecAugment; Park et al. 2019)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def config_spans(
    config: Any, lengths: Tensor, hidden: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """What a transformers config's ``mask_*`` settings hide of a batch.

    Args:
        config: of the encoder.
        lengths: ``(B,)`` frames of each clip, on the CPU: a GPU would be waited for.
        hidden: ``(B, T, D)`` features of the batch.

    Returns:
        Masked frames ``(B, T)`` and masked channels ``(B, D)``, where the features are; ``None``
        for what is off.
    """
    _, frames, channels = hidden.shape
    device = hidden.device
    time = feature = None
    if config.mask_time_prob > 0:
        time = random_spans(
            lengths,
            frames,
            config.mask_time_prob,
            config.mask_time_length,
            config.mask_time_min_masks,
        ).to(device, non_blocking=True)
    if config.mask_feature_prob > 0:
        feature = random_spans(
            torch.full_like(lengths, channels),
            channels,
            config.mask_feature_prob,
            config.mask_feature_length,
            getattr(config, "mask_feature_min_masks", 0),  # WavLM's config has none
        ).to(device, non_blocking=True)
    return time, feature


def random_spans(lengths: Tensor, size: int, probability: float, span: int, minimum: int) -> Tensor:
    """Spans drawn per row, without replacement of their starts, as transformers draws them.

    Args:
        lengths: ``(B,)`` positions of each row that spans may cover.
        size: width of the mask.
        probability: expected share of positions at span starts times ``span`` (overlaps reduce it).
        span: positions per span; rows shorter than one span stay unmasked.
        minimum: least number of spans per row.

    Returns:
        ``(B, size)`` mask, true where masked.
    """
    mask = torch.zeros(len(lengths), size, dtype=torch.bool)
    for row, length in zip(mask, lengths.tolist(), strict=True):
        count = max(int(probability * length / span + torch.rand(()).item()), minimum)
        starts = torch.randperm(max(length - span + 1, 0))[: min(count, length // span)]
        row[(starts[:, None] + torch.arange(span)).flatten()] = True
    return mask
