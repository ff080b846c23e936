"""Attention with WavLM's gated relative position bias, without keeping any T x T matrix.

Query i of a head sees key j with ``q_i·k_j/√d + g_i·b_(j-i)``: a table b that all layers share,
times a gate g of each query (Chen et al. 2022, *WavLM*). Scores, bias and probabilities would be
most of what training keeps; here the backward pass makes them again. CPUs go clip by clip
(`sermtl.model.clip_attention`): their fused attention knows neither dropout nor a bias with a
gradient. Other devices' takes the bias as a mask.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sermtl.model.clip_attention import ClipAttention
from sermtl.model.ragged import Ragged

MASK = 2**27  # elements of a mask, at most; longer clips take several


def gated_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    gate: Tensor,
    table: Tensor,
    ragged: Ragged,
    dropout: float,
) -> Tensor:
    """Attention within each clip.

    Args:
        query, key, value: ``(N, H, d)``, the clips' frames one after the other.
        gate: ``(N, H)``.
        table: ``(H, 2T-1)``, the bias of distances 1-T to T-1, T being the longest clip's frames.
        ragged: where the clips are.
        dropout: probability that an attention weight is dropped.

    Returns:
        ``(N, H, d)``.
    """
    implementation = ClipAttention.apply if query.device.type == "cpu" else fused_attention
    return implementation(query, key, value, gate, table, ragged, dropout)


def fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    gate: Tensor,
    table: Tensor,
    ragged: Ragged,
    dropout: float,
) -> Tensor:
    """As `gated_attention`, by torch's fused kernels over the padded batch."""
    query, key, value = (ragged.unpack(x).transpose(1, 2) for x in (query, key, value))
    gate = ragged.unpack(gate).transpose(1, 2)[..., None]  # (B, H, T, 1)
    batch, heads, frames, _ = query.shape
    padding = query.new_zeros(batch, 1, 1, frames)
    padding = padding.masked_fill(~ragged.mask[:, None, None], float("-inf"))
    windows = table.unfold(1, frames, 1)  # (H, T, T); row T-1-i is what query i sees
    step = max(1, MASK // (batch * heads * frames))
    outputs = []
    for first in range(0, frames, step):
        last = min(first + step, frames)
        bias = windows[:, frames - last : frames - first].flip(1)
        outputs.append(
            _masked_attention(
                query[:, :, first:last], key, value, padding, gate[:, :, first:last], bias, dropout
            )
        )
    return ragged.pack(torch.cat(outputs, 2).transpose(1, 2))


def _masked_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    padding: Tensor,
    gate: Tensor,
    bias: Tensor,
    dropout: float,
) -> Tensor:
    """Fused attention whose mask ``padding + gate·bias`` the backward pass computes again."""
    frames = key.shape[2]
    aligned = -frames % 8  # fused kernels copy a mask whose rows don't begin at multiples of 8

    def mask() -> Tensor:
        padded = F.pad(padding, (0, aligned)), gate, F.pad(bias, (0, aligned))
        return torch.addcmul(*padded)[..., :frames]

    now = mask()
    place = now.data_ptr()

    def forget(tensor: Tensor) -> Tensor | None:
        return None if tensor.data_ptr() == place else tensor

    def remember(kept: Tensor | None) -> Tensor:
        if kept is not None:
            return kept
        with torch.no_grad():
            return mask()

    with torch.autograd.graph.saved_tensors_hooks(forget, remember):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=now, dropout_p=dropout)
