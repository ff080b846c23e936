"""Mixing the encoder's layers into one sequence (paper, section 2.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typeguard import typechecked


class LayerMixing(nn.Module):
    """``h = Σ_l softmax(w)_l · norm(h_l)`` with learnable ``w``, or the last layer alone.

    Args:
        num_states: L+1, the number of hidden states.
        mode: ``learnable``, or ``last`` (Table 4 of the paper; no parameters).
        normalize: apply a LayerNorm without affine parameters to each state first, so that
            the weights are not about the states' scales.
    """

    @typechecked
    def __init__(self, num_states: int, mode: str = "learnable", normalize: bool = False) -> None:
        super().__init__()
        if mode not in ("learnable", "last"):
            raise ValueError(f"layer_mixing must be learnable or last, not {mode!r}")
        self.normalize = normalize
        self.logits = nn.Parameter(torch.zeros(num_states)) if mode == "learnable" else None
        self.num_states = num_states

    def forward(self, hidden_states: Tensor) -> Tensor:
        """``(L+1, B, T, D)`` to ``(B, T, D)``."""
        if self.logits is None:
            state = hidden_states[-1]
            return F.layer_norm(state, state.shape[-1:]) if self.normalize else state
        if self.normalize:
            hidden_states = F.layer_norm(hidden_states, hidden_states.shape[-1:])
        weights = self.logits.softmax(0).to(hidden_states.dtype)
        return torch.tensordot(weights, hidden_states, dims=1)

    def weights(self) -> Tensor:
        """Each state's share, ``(L+1,)``, summing to one."""
        if self.logits is None:
            return F.one_hot(torch.tensor(self.num_states - 1), self.num_states).float()
        return self.logits.detach().softmax(0)
