"""Cutting the silence around a clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sermtl.model.pooling import frame_mask

WINDOW = 400  # samples, 25 ms
HOP = 160  # samples, 10 ms
MARGIN = 1600  # samples kept before the first and after the last loud window, 0.1 s


def trim_silence(speech: Tensor, lengths: Tensor, below: float) -> tuple[Tensor, Tensor]:
    """Cut from both ends what is far below the clip's loudest window.

    A clip without any sound stays as it is.

    Args:
        speech: ``(B, N)``, 16 kHz, zero beyond the lengths.
        lengths: ``(B,)`` samples, at least 400.
        below: dB under the clip's loudest 25 ms at which silence begins.

    Returns:
        ``(B, M)``, zero padded, and ``(B,)`` samples.
    """
    power = nn.functional.avg_pool1d(speech.square()[:, None], WINDOW, HOP)[:, 0]
    windows = (lengths - WINDOW) // HOP + 1
    power = power.masked_fill(~frame_mask(windows, power.shape[1]), -1.0)
    loud = power >= power.amax(1, keepdim=True) * 10 ** (-below / 10)
    place = torch.arange(power.shape[1], device=speech.device)
    first = torch.where(loud, place, power.shape[1]).amin(1)
    last = torch.where(loud, place, -1).amax(1)
    start = (first * HOP - MARGIN).clamp_min(0)
    kept = torch.minimum(last * HOP + WINDOW + MARGIN, lengths) - start
    source = start[:, None] + torch.arange(int(kept.max()), device=speech.device)
    trimmed = speech.gather(1, source.clamp_max(speech.shape[1] - 1))
    return trimmed.masked_fill(~frame_mask(kept, trimmed.shape[1]), 0.0), kept
