"""Mixing the encoder's layers into one sequence (paper, section 2.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typeguard import typechecked


class LayerMixing(nn.Module):
    """``h = Σ_l w_l · norm(h_l)`` with learnable shares ``w``, summing to one.

    Args:
        num_states: L+1, the number of hidden states.
        size: D, their width.
        mode: ``learnable``, the paper's sum; ``last``, the last state alone (Table 4 of the paper;
            no parameters); or ``concat``, the states side by side, each times ``(L+1) w_l``.
            A small encoder on a small corpus has more to say than fits into the sum.
        normalize: apply a LayerNorm without affine parameters to each state first, so that
            the weights are not about the states' scales.
    """

    @typechecked
    def __init__(
        self, num_states: int, size: int, mode: str = "learnable", normalize: bool = False
    ) -> None:
        super().__init__()
        if mode not in ("learnable", "last", "concat"):
            raise ValueError(f"layer_mixing must be learnable, last or concat, not {mode!r}")
        self.mode = mode
        self.normalize = normalize
        self.logits = None if mode == "last" else nn.Parameter(torch.zeros(num_states))
        self.num_states = num_states
        self.size = size

    def output_size(self) -> int:
        """Width of the mixed frames."""
        return self.size * (self.num_states if self.mode == "concat" else 1)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """``(L+1, B, T, D)`` to ``(B, T, D)``, or ``(B, T, (L+1)D)`` side by side."""
        if self.logits is None:
            hidden_states = hidden_states[-1:]
        if self.normalize:
            hidden_states = F.layer_norm(hidden_states, hidden_states.shape[-1:])
        if self.logits is None:
            return hidden_states[0]
        weights = self.logits.softmax(0).to(hidden_states.dtype)
        if self.mode == "concat":
            scaled = torch.einsum("l,lbtd->btld", self.num_states * weights, hidden_states)
            return scaled.flatten(2)
        return torch.tensordot(weights, hidden_states, dims=1)

    def weights(self) -> Tensor:
        """Each state's share, ``(L+1,)``, summing to one."""
        if self.logits is None:
            return F.one_hot(torch.tensor(self.num_states - 1), self.num_states).float()
        return self.logits.detach().softmax(0)
