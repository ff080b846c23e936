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
from sermtl.model.precision import compute_dtype
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
                states[-1] = _normed(self.model.encoder.layer_norm, states[-1])
            return ragged.unpack(torch.stack(states), dim=1)

    def bias_table(self, frames: int) -> Tensor:
        """``(H, 2T-1)``: each head's ungated bias of the distances from 1-T to T-1 frames."""
        first = self.layers[0].attention  # the only one that has it
        embedding = first.rel_attn_embed
        distances = torch.arange(1 - frames, frames, device=embedding.weight.device)
        return embedding(first._relative_positions_bucket(distances)).t()

    def _layer(self, index: int, hidden: Tensor, attend: Attention) -> Tensor:
        layer = self.layers[index]
        if self.model.config.do_stable_layer_norm:
            hidden = hidden + self._attend(layer, _normed(layer.layer_norm, hidden), attend)
            return hidden + self._feed_forward(layer, _normed(layer.final_layer_norm, hidden))
        hidden = hidden + self._attend(layer, hidden, attend)
        hidden = _normed(layer.layer_norm, hidden)
        return _normed(layer.final_layer_norm, hidden + self._feed_forward(layer, hidden))

    @staticmethod
    def _attend(layer: nn.Module, hidden: Tensor, attend: Attention) -> Tensor:
        attention = layer.attention
        heads = attention.num_heads
        projections = attention.q_proj, attention.k_proj, attention.v_proj
        query, key, value = (_linear(p, hidden).unflatten(1, (heads, -1)) for p in projections)
        drop = attention.dropout if layer.training else 0.0
        seen = attend(query, key, value, gates(attention, hidden), drop)
        seen = _linear(attention.out_proj, seen.flatten(1))
        return dropout(seen, layer.dropout.p, layer.training)

    @staticmethod
    def _feed_forward(layer: nn.Module, hidden: Tensor) -> Tensor:
        part = layer.feed_forward
        inner = part.intermediate_act_fn(_linear(part.intermediate_dense, hidden))
        inner = dropout(inner, part.intermediate_dropout.p, layer.training)
        return dropout(_linear(part.output_dense, inner), part.output_dropout.p, layer.training)


def gates(attention: nn.Module, hidden: Tensor) -> Tensor:
    """``(N, H)``, what each query multiplies the position bias by, from ``(N, D)``.

    The published code projects to 2 x 4 numbers and adds each four; here their weights are added.
    """
    linear = attention.gru_rel_pos_linear
    weight = linear.weight.unflatten(0, (2, 4)).sum(1).to(hidden.dtype)
    bias = linear.bias.unflatten(0, (2, 4)).sum(1).to(hidden.dtype)
    of_head = hidden.unflatten(1, (attention.num_heads, -1))
    update, reset = F.linear(of_head, weight, bias).sigmoid().unbind(-1)
    return update * (reset * attention.gru_rel_pos_const.to(hidden.dtype).flatten() - 1) + 2


def _linear(module: nn.Linear, hidden: Tensor) -> Tensor:
    return F.linear(hidden, module.weight.to(hidden.dtype), module.bias.to(hidden.dtype))


def _normed(module: nn.LayerNorm, hidden: Tensor) -> Tensor:
    weight, bias = module.weight.to(hidden.dtype), module.bias.to(hidden.dtype)
    return F.layer_norm(hidden, module.normalized_shape, weight, bias, module.eps)
