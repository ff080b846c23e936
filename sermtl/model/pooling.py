"""Attentive statistics pooling (Okabe et al. 2018, the paper's reference [16])."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typeguard import typechecked


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """``(B, T)``, true on the first ``lengths[b]`` frames of each row."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


class AttentiveStatisticsPooling(nn.Module):
    """Attention-weighted mean and standard deviation over the true frames.

    ``e_t = vᵀ tanh(W h_t + b)``, ``a = softmax_t(e)``, ``μ = Σ a_t h_t``,
    ``σ² = Σ a_t h_t² − μ²`` (computed as ``Σ a_t (h_t − μ)²``, which can't turn negative).

    Args:
        feature_size: D.
        attention_size: width of the scoring layer.
    """

    VARIANCE_FLOOR = 1e-6  # keeps the square root's gradient finite on one-frame clips

    @typechecked
    def __init__(self, feature_size: int, attention_size: int = 128) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(feature_size, attention_size),
            nn.Tanh(),
            nn.Linear(attention_size, 1, bias=False),
        )

    def forward(self, feats: Tensor, lengths: Tensor) -> Tensor:
        """``feats (B, T, D)``, ``lengths (B,)`` in frames, to ``(B, 2D)``."""
        mask = frame_mask(lengths, feats.shape[1])
        scores = self.score(feats).squeeze(-1).float().masked_fill(~mask, float("-inf"))
        attention = scores.softmax(1)  # (B, T), fp32: it weighs sums over long clips
        feats = feats.float()
        mean = torch.einsum("bt,btd->bd", attention, feats)
        variance = torch.einsum("bt,btd->bd", attention, (feats - mean[:, None]).square())
        return torch.cat([mean, variance.clamp_min(self.VARIANCE_FLOOR).sqrt()], dim=-1)
