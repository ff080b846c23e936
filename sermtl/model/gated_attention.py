"""Attention with WavLM's gated relative position bias, without keeping any T x T matrix.

Query i of a head sees key j with ``q_i·k_j/√d + g_i·b_(j-i)``: a table b that all layers share,
times a gate g of each query (Chen et al. 2022, *WavLM*). Scores, bias and probabilities would be
most of what training keeps; here the backward pass makes them again. CPUs go clip by clip
(`sermtl.model.clip_attention`): their fused attention knows neither dropout nor a bias with a
gradient. Other devices' takes the bias as a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from sermtl.model.clip_attention import ClipAttention
from sermtl.model.ragged import Ragged

MASK = 2**27  # elements of a mask, at most; longer clips take several

Attention = Callable[[Tensor, Tensor, float], Tensor]
"""Attention within each clip of a batch. Takes queries, keys and values ``(N, 3, H, d)``, the
clips' frames one after the other, gate ``(N, H)``, and the probability that an attention weight is
dropped; returns ``(N, H, d)``."""


def gated_attention(table: Tensor, ragged: Ragged, recomputed: bool = False) -> Attention:
    """What all layers attend to a batch with.

    Args:
        table: ``(H, 2T-1)``, the bias of distances 1-T to T-1, T being the longest clip's frames;
            in fp32, since its gradient adds up what all queries and layers say.
        ragged: where the clips are.
        recomputed: whether layers are checkpointed, so that nothing is kept anyway.
    """
    if table.device.type == "cpu":
        return lambda projected, gate, dropout: ClipAttention.apply(
            *projected.unbind(1), gate, table, ragged, dropout
        )
    return FusedAttention(table, ragged, recomputed)


class FusedAttention:
    """An `Attention` by torch's fused kernels over the padded batch; see `gated_attention`."""

    def __init__(self, table: Tensor, ragged: Ragged, recomputed: bool = False) -> None:
        self.table, self.ragged, self.recomputed = table, ragged, recomputed
        batch, frames = ragged.mask.shape
        step = max(1, MASK // (batch * len(table) * frames))
        self.pieces = [slice(at, min(at + step, frames)) for at in range(0, frames, step)]
        self.whole: Tensor | None = None
        padding = table.new_zeros(batch, 1, 1, frames)
        padding = padding.masked_fill(~ragged.mask[:, None, None], float("-inf"))
        self.padding = F.pad(padding, (0, -frames % 8))

    def __call__(self, projected: Tensor, gate: Tensor, dropout: float) -> Tensor:
        query, key, value = self.ragged.unpack(projected).transpose(1, 3).unbind(2)  # (B, H, T, d)
        gate = self.ragged.unpack(gate).transpose(1, 2)[..., None]  # (B, H, T, 1)
        seen = [
            self._attend(query[:, :, rows], key, value, gate[:, :, rows], rows, dropout)
            for rows in self.pieces
        ]
        whole = seen[0] if len(seen) == 1 else torch.cat(seen, 2)
        return self.ragged.pack(whole.transpose(1, 2))

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, gate: Tensor, rows: slice, dropout: float
    ) -> Tensor:
        """Attention whose mask the backward pass computes again."""
        mask = _Mask.apply(gate, self.table, self, rows)
        place = mask.data_ptr()

        def forget(tensor: Tensor) -> Tensor | None:
            return None if tensor.data_ptr() == place else tensor

        def remember(kept: Tensor | None) -> Tensor:
            return self.mask(gate.detach(), rows) if kept is None else kept

        # Under checkpointing these hooks would keep from it what it is to drop.
        hooks = torch.autograd.graph.saved_tensors_hooks
        with nullcontext() if self.recomputed else hooks(forget, remember):
            return F.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, dropout_p=dropout
            )

    def mask(self, gate: Tensor, rows: slice) -> Tensor:
        """``padding + gate·bias``, ``(B, H, m, T)``, of some queries."""
        mask = torch.addcmul(self.padding.to(gate.dtype), gate, self.bias(rows, gate.dtype))
        return mask[..., : self.ragged.frames]

    def bias(self, rows: slice, dtype: torch.dtype) -> Tensor:
        """``(H, m, T')``; where there is one piece, as nearly always, layers share it.

        Fused kernels want a mask whose rows are contiguous, else torch writes out all scores, and
        begin at multiples of 8, else it copies the mask; so T' is T rounded up.
        """
        if self.whole is not None:
            return self.whole
        frames = self.ragged.frames
        more = -frames % 8
        # Row T-1-i is what query i sees.
        windows = F.pad(self.table.detach().to(dtype), (0, more)).unfold(1, frames + more, 1)
        bias = windows[:, frames - rows.stop : frames - rows.start].flip(1).contiguous()
        if len(self.pieces) == 1:
            self.whole = bias
        return bias


class _Mask(torch.autograd.Function):
    """`FusedAttention.mask`, of which only the gate is kept."""

    @staticmethod
    def forward(
        ctx: Any, gate: Tensor, table: Tensor, attention: FusedAttention, rows: slice
    ) -> Tensor:
        ctx.save_for_backward(gate)
        ctx.attention, ctx.rows = attention, rows
        return attention.mask(gate, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (gate,) = ctx.saved_tensors
        _, heads, rows, frames = gradient.shape
        bias = ctx.attention.bias(ctx.rows, gate.dtype)[..., :frames]
        to_gate = (gradient * bias).sum(3, keepdim=True)
        # Sums along diagonals, in fp32 for there are many: see `sermtl.model.clip_attention`.
        sums = gradient.new_zeros(heads, rows, frames + rows, dtype=torch.float)
        sums[..., :frames] = (gradient * gate).sum(0, dtype=torch.float).flip(1)
        length = frames + rows - 1
        diagonals = sums.view(heads, -1)[:, : rows * length].view(heads, rows, length).sum(1)
        to_table = diagonals.new_zeros(ctx.attention.table.shape)
        first = frames - ctx.rows.stop
        to_table[:, first : first + length] = diagonals
        return to_gate, to_table, None, None
