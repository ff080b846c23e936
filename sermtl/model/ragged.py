"""Clips of different lengths in one row of frames, without padding between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sermtl.model.pooling import frame_mask


class Ragged:
    """Where the true frames of a padded batch lie in a row of N = Σ lengths frames.

    Args:
        lengths: true frames of each clip.
        frames: T of the padded batch.
        device: of the tensors to come.
    """

    def __init__(self, lengths: Sequence[int], frames: int, device: torch.device) -> None:
        self.lengths, self.frames = list(lengths), frames
        mask = frame_mask(torch.tensor(self.lengths), frames)
        self.mask = mask.to(device, non_blocking=True)  # (B, T), true on true frames
        self.places: Tensor | None = None  # (N,) in the flattened batch; None without padding
        if any(length != frames for length in lengths):
            self.places = mask.flatten().nonzero()[:, 0].to(device, non_blocking=True)

    def pack(self, padded: Tensor) -> Tensor:
        """``(B, T, *)`` to ``(N, *)``."""
        flat = padded.flatten(0, 1)
        return flat if self.places is None else _Selected.apply(flat, self.places)

    def unpack(self, packed: Tensor, dim: int = 0) -> Tensor:
        """``(N, *)`` to ``(B, T, *)``, zero on padded frames; N may be at another ``dim``."""
        rows = len(self.lengths), self.frames
        if self.places is not None:
            shape = (*packed.shape[:dim], rows[0] * rows[1], *packed.shape[dim + 1 :])
            packed = packed.new_zeros(shape).index_copy(dim, self.places, packed)
        return packed.unflatten(dim, rows)

    def clips(self) -> Iterator[tuple[int, int]]:
        """Each clip's first frame in the row, and the one after its last."""
        first = 0
        for length in self.lengths:
            yield first, first + length
            first += length


class _Selected(torch.autograd.Function):
    """Rows from places that are all different: torch's gradient of `index_select` would add them
    up, on a GPU by atomic operations, which are slow in bfloat16."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.count = len(rows)
        return rows.index_select(0, places)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        whole = gradient.new_zeros(ctx.count, *gradient.shape[1:])
        return whole.index_copy_(0, places, gradient), None
