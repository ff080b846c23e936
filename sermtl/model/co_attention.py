"""Co-attention: what the auxiliary branches know, fused into the emotion branch (section 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typeguard import typechecked

from sermtl.model.pooling import frame_mask


class CoAttention(nn.Module):
    """Two softmaxes: over each auxiliary sequence's frames, then over the tasks.

    With the emotion features ``e`` and a branch's first-layer features ``X_m``::

        q = W_q e                     K_m = W_k^m X_m      V_m = W_v^m X_m
        c_m = softmax(q K_mᵀ / √d) V_m          (padding masked; V_m itself if T_m = 1)
        r_m = q · (W_r c_m) / √d                ω = softmax_m(r)
        z = Σ_m ω_m c_m                         output = LayerNorm(e + W_o z)

    A softmax over one element has no gradient, so parameters exist only where they act: W_k for
    sequences, W_r with two or more branches, W_q with either; W_k and W_r have no bias, which
    would shift all scores alike.

    Args:
        hidden_size: H, the width of every branch's first layer.
        tasks: the auxiliary branches, in the order of ω; at least one.
        sequence_tasks: those of ``tasks`` whose features are sequences.
        num_heads: attention heads; divides H.
    """

    @typechecked
    def __init__(
        self,
        hidden_size: int,
        tasks: list[str],
        sequence_tasks: list[str],
        num_heads: int = 4,
    ) -> None:
        super().__init__()
        if not tasks:
            raise ValueError("co-attention needs at least one auxiliary task")
        if hidden_size % num_heads:
            raise ValueError(f"{num_heads} heads don't divide a width of {hidden_size}")
        self.tasks = tasks
        self.num_heads = num_heads
        self.scale = (hidden_size // num_heads) ** -0.5

        def linear(bias: bool = True) -> nn.Linear:
            return nn.Linear(hidden_size, hidden_size, bias)

        self.key = nn.ModuleDict({m: linear(bias=False) for m in tasks if m in sequence_tasks})
        self.value = nn.ModuleDict({m: linear() for m in tasks})
        self.relate = linear(bias=False) if len(tasks) > 1 else None
        self.query = linear() if self.key or self.relate else None
        self.output = linear()
        self.norm = nn.LayerNorm(hidden_size)

    def forward(
        self, emotion: Tensor, features: dict[str, Tensor], lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Fuse.

        Args:
            emotion: ``(B, H)``.
            features: per task ``(B, H)``, or ``(B, T, H)`` for sequences.
            lengths: ``(B,)`` true frames of the sequences.

        Returns:
            Enhanced emotion features ``(B, H)`` and task weights ω ``(B, heads, M)``.
        """
        query = self._heads(self.query(emotion)) if self.query is not None else None
        contexts = torch.stack(
            [self._context(m, query, features[m], lengths) for m in self.tasks], dim=2
        )  # (B, heads, M, d)
        if self.relate is not None:
            related = self._heads(self.relate(contexts.permute(0, 2, 1, 3).flatten(2)))
            # (B, M, heads, d) against (B, heads, d)
            scores = torch.einsum("bmnd,bnd->bnm", related, query) * self.scale
            weights = scores.float().softmax(-1)
        else:
            weights = contexts.new_ones(contexts.shape[:3])
        fused = torch.einsum("bnm,bnmd->bnd", weights.to(contexts.dtype), contexts).flatten(1)
        return self.norm(emotion + self.output(fused)), weights

    def _context(self, task: str, query: Tensor | None, feats: Tensor, lengths: Tensor) -> Tensor:
        """``c_m``: ``(B, heads, d)``."""
        value = self._heads(self.value[task](feats))
        if task not in self.key:
            return value
        key = self._heads(self.key[task](feats))  # (B, T, heads, d)
        scores = torch.einsum("bnd,btnd->bnt", query, key) * self.scale
        mask = frame_mask(lengths, feats.shape[1])[:, None]
        attention = scores.float().masked_fill(~mask, float("-inf")).softmax(-1)
        return torch.einsum("bnt,btnd->bnd", attention.to(value.dtype), value)

    def _heads(self, feats: Tensor) -> Tensor:
        """``(..., H)`` to ``(..., heads, d)``."""
        return feats.unflatten(-1, (self.num_heads, -1))
