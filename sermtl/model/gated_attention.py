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

import torch
import torch.nn.functional as F
from torch import Tensor

from sermtl.model.clip_attention import ClipAttention
from sermtl.model.ragged import Ragged

MASK = 2**27  # elements of a mask, at most; longer clips take several

Attention = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]
"""Attention within each clip of a batch. Takes query, key, value ``(N, H, d)``, the clips' frames
one after the other, gate ``(N, H)``, and the probability that an attention weight is dropped;
returns ``(N, H, d)``."""


def gated_attention(table: Tensor, ragged: Ragged, recomputed: bool = False) -> Attention:
    """What all layers attend to a batch with.

    Args:
        table: ``(H, 2T-1)``, the bias of distances 1-T to T-1, T being the longest clip's frames.
        ragged: where the clips are.
        recomputed: whether layers are checkpointed, so that nothing is kept anyway.
    """
    if table.device.type == "cpu":
        return lambda query, key, value, gate, dropout: ClipAttention.apply(
            query, key, value, gate, table, ragged, dropout
        )
    return FusedAttention(table, ragged, recomputed)


class FusedAttention:
    """An `Attention` by torch's fused kernels over the padded batch; see `gated_attention`."""

    def __init__(self, table: Tensor, ragged: Ragged, recomputed: bool = False) -> None:
        self.ragged, self.recomputed = ragged, recomputed
        batch, frames = ragged.mask.shape
        # Fused kernels copy a mask whose rows don't begin at multiples of 8.
        beyond = (0, -frames % 8)
        padding = table.new_zeros(batch, 1, 1, frames)
        padding = padding.masked_fill(~ragged.mask[:, None, None], float("-inf"))
        self.padding = F.pad(padding, beyond)
        # (H, T, T + beyond), a view; row T-1-i is what query i sees
        self.windows = F.pad(table, beyond).unfold(1, frames + beyond[1], 1)
        step = max(1, MASK // (batch * len(table) * frames))
        self.pieces = [slice(at, min(at + step, frames)) for at in range(0, frames, step)]
        # Where there is one piece, as nearly always, layers share its bias.
        self.whole = self._bias(self.pieces[0]) if len(self.pieces) == 1 else None

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, gate: Tensor, dropout: float
    ) -> Tensor:
        query, key, value = (self.ragged.unpack(x).transpose(1, 2) for x in (query, key, value))
        gate = self.ragged.unpack(gate).transpose(1, 2)[..., None]  # (B, H, T, 1)
        seen = [
            self._attend(query[:, :, rows], key, value, gate[:, :, rows], rows, dropout)
            for rows in self.pieces
        ]
        whole = seen[0] if len(seen) == 1 else torch.cat(seen, 2)
        return self.ragged.pack(whole.transpose(1, 2))

    def _bias(self, rows: slice) -> Tensor:
        frames = self.windows.shape[1]
        return self.windows[:, frames - rows.stop : frames - rows.start].flip(1)

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, gate: Tensor, rows: slice, dropout: float
    ) -> Tensor:
        """Attention whose mask ``padding + gate·bias`` the backward pass computes again."""
        bias = self._bias(rows) if self.whole is None else self.whole

        def mask() -> Tensor:
            return torch.addcmul(self.padding, gate, bias)[..., : key.shape[2]]

        now = mask()
        place = now.data_ptr()

        def forget(tensor: Tensor) -> Tensor | None:
            return None if tensor.data_ptr() == place else tensor

        def remember(kept: Tensor | None) -> Tensor:
            if kept is not None:
                return kept
            with torch.no_grad():
                return mask()

        # Under checkpointing these hooks would keep from it what it is to drop.
        hooks = torch.autograd.graph.saved_tensors_hooks
        with nullcontext() if self.recomputed else hooks(forget, remember):
            return F.scaled_dot_product_attention(
                query, key, value, attn_mask=now, dropout_p=dropout
            )
