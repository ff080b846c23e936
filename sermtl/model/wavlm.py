"""WavLM's layers, on frames without padding and with attention that keeps no matrices.

transformers' modules hold the parameters, and what they compute is the reference; its ``forward``
would go through attention that writes out all weights, and their mean over heads, on every call.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sermtl.model.dropout import dropout
from sermtl.model.gated_attention import Attention, gated_attention
from sermtl.model.precision import compute_dtype, together
from sermtl.model.ragged import Ragged
from sermtl.model.wav2vec2_family import Wav2Vec2Family


class WavLM(Wav2Vec2Family):
    """A WavLM model."""

    def run_layers(self, hidden: Tensor, frames: Tensor) -> Tensor:
        ragged = Ragged(frames.tolist(), hidden.shape[1], hidden.device)
        dtype = compute_dtype(hidden.device)
        with torch.autocast(hidden.device.type, enabled=False):
            states = [ragged.pack(hidden.to(dtype))]
            table = self.bias_table(ragged.frames)
            attend = gated_attention(table, ragged, recomputed=self.checkpoint_from is not None)
            for index in range(len(self.layers)):
                states.append(self.recomputed(index, self._layer, index, states[-1], attend))
            if self.model.config.do_stable_layer_norm:
                norm = self.model.encoder.layer_norm
                weight, bias = together([[norm.weight], [norm.bias]], dtype)
                states[-1] = F.layer_norm(states[-1], norm.normalized_shape, weight, bias, norm.eps)
            return ragged.unpack(torch.stack(states), dim=1)

    def bias_table(self, frames: int) -> Tensor:
        """``(H, 2T-1)``: each head's ungated bias of the distances from 1-T to T-1 frames."""
        first = self.layers[0].attention  # the only one that has it
        embedding = first.rel_attn_embed
        distances = torch.arange(1 - frames, frames, device=embedding.weight.device)
        return embedding(first._relative_positions_bucket(distances)).t()

    def _layer(self, index: int, hidden: Tensor, attend: Attention) -> Tensor:
        layer = _Layer(self.layers[index], hidden.dtype)
        if self.model.config.do_stable_layer_norm:
            hidden = hidden + layer.attended(layer.first_norm(hidden), attend)
            return hidden + layer.fed_forward(layer.second_norm(hidden))
        hidden = layer.first_norm(hidden + layer.attended(hidden, attend))
        return layer.second_norm(hidden + layer.fed_forward(hidden))


class _Layer:
    """What one of transformers' layers computes.

    Args:
        layer: its modules.
        dtype: to compute in.
    """

    def __init__(self, layer: nn.Module, dtype: torch.dtype) -> None:
        attention, forward = layer.attention, layer.feed_forward
        modules = [
            [attention.q_proj, attention.k_proj, attention.v_proj],
            [attention.out_proj],
            [forward.intermediate_dense],
            [forward.output_dense],
            [layer.layer_norm],
            [layer.final_layer_norm],
            [attention.gru_rel_pos_linear],
        ]
        groups = [[getattr(m, k) for m in ms] for ms in modules for k in ("weight", "bias")]
        *cast, self.gate_scale = together([*groups, [attention.gru_rel_pos_const]], dtype)
        pairs = list(zip(cast[::2], cast[1::2], strict=True))
        self.projections, self.out, self.intermediate, self.output, *norms, self.gate = pairs
        self.norms, self.layer = norms, layer

    def first_norm(self, hidden: Tensor) -> Tensor:
        """``layer_norm``."""
        return self._normed(self.layer.layer_norm, hidden, *self.norms[0])

    def second_norm(self, hidden: Tensor) -> Tensor:
        """``final_layer_norm``."""
        return self._normed(self.layer.final_layer_norm, hidden, *self.norms[1])

    @staticmethod
    def _normed(norm: nn.LayerNorm, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.layer_norm(hidden, norm.normalized_shape, weight, bias, norm.eps)

    def attended(self, hidden: Tensor, attend: Attention) -> Tensor:
        """Self-attention with the gated bias, ``(N, D)``."""
        attention, training = self.layer.attention, self.layer.training
        projected = F.linear(hidden, *self.projections)
        projected = projected.unflatten(1, (3, attention.num_heads, -1))
        drop = attention.dropout if training else 0.0
        seen = attend(projected, self.gates(hidden), drop).flatten(1)
        return dropout(F.linear(seen, *self.out), self.layer.dropout.p, training)

    def gates(self, hidden: Tensor) -> Tensor:
        """``(N, H)``, what each query multiplies the position bias by, from ``(N, D)``."""
        of_head = hidden.unflatten(1, (self.layer.attention.num_heads, -1))
        both = F.linear(of_head, *self.gate).unflatten(2, (2, 4)).sum(3)
        update, reset = both.sigmoid().unbind(2)
        return update * (reset * self.gate_scale.flatten() - 1) + 2

    def fed_forward(self, hidden: Tensor) -> Tensor:
        """Two linear layers, ``(N, D)``."""
        part, training = self.layer.feed_forward, self.layer.training
        inner = part.intermediate_act_fn(F.linear(hidden, *self.intermediate))
        inner = dropout(inner, part.intermediate_dropout.p, training)
        return dropout(F.linear(inner, *self.output), part.output_dropout.p, training)
