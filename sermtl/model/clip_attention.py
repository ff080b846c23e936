"""Gated attention for CPUs: clip by clip, in pieces that fit the cache, nothing of them kept.

With the queries of a piece in reverse, the bias ``b_(j-i)`` of query p and key j is element p+j of
a stretch of the table: a view of overlapping rows, never a matrix. Its gradient, sums along
antidiagonals, is likewise a view of rows that are one element longer than they seem.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sermtl.model.dropout import draw_seed, keep_mask
from sermtl.model.ragged import Ragged

SCORES = 2**21  # in a piece: a few MB


@dataclass(frozen=True)
class Piece:
    """Consecutive queries of one clip, and all of its keys."""

    clip: slice  # of the N frames
    queries: slice  # of the N frames
    offset: int  # of the piece's stretch of the table

    def reversed(self, packed: Tensor) -> Tensor:
        """``(N, H, d)`` to ``(H, m, d)``, the piece's queries, last first."""
        return packed[self.queries].flip(0).transpose(0, 1)

    def in_order(self, reversed: Tensor) -> Tensor:
        """Undo `reversed`: ``(H, m, d)`` to ``(m, H, d)``, first to last."""
        return reversed.transpose(0, 1).flip(0)

    def scaled(self, query: Tensor) -> Tensor:
        """`reversed`, over √d."""
        return self.reversed(query).mul_(query.shape[2] ** -0.5)

    def keys(self, packed: Tensor) -> Tensor:
        """``(N, H, d)`` to ``(H, n, d)``, the clip's keys."""
        return packed[self.clip].transpose(0, 1)

    def bias(self, table: Tensor) -> Tensor:
        """``(H, m, n)``, rows of ``table (H, 2T-1)``."""
        size = len(table), _length(self.queries), _length(self.clip)
        return table.as_strided(size, (table.shape[1], 1, 1), self.offset)

    def weights(self, query: Tensor, key: Tensor, gate: Tensor, table: Tensor) -> Tensor:
        """Softmax of the scores, ``(H, m, n)``."""
        scores = torch.bmm(self.scaled(query), self.keys(key).transpose(1, 2))
        return scores.addcmul_(self.bias(table), self.reversed(gate)).softmax(-1)


def pieces(ragged: Ragged, heads: int) -> Iterator[Piece]:
    """All clips' pieces."""
    longest = max(ragged.lengths)
    for first, last in ragged.clips():
        length = last - first
        parts = -(-heads * length * length // SCORES)
        step = -(-length // parts)
        for start in range(first, last, step):
            stop = min(start + step, last)
            yield Piece(slice(first, last), slice(start, stop), longest - (stop - first))


class ClipAttention(torch.autograd.Function):
    """`sermtl.model.gated_attention.gated_attention` on CPUs."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        gate: Tensor,
        table: Tensor,
        ragged: Ragged,
        dropout: float,
    ) -> Tensor:
        gate, table = gate[..., None], table.to(query.dtype).contiguous()
        seed = draw_seed() if dropout else 0
        random = np.random.SFC64(seed)
        output = torch.empty_like(query)
        for piece in pieces(ragged, query.shape[1]):
            weights = piece.weights(query, key, gate, table)
            if dropout:
                weights *= keep_mask(weights.shape, dropout, random, weights.dtype)
            seen = torch.bmm(weights, piece.keys(value)).div_(1 - dropout)
            output[piece.queries] = piece.in_order(seen)
        ctx.save_for_backward(query, key, value, gate, table, output)
        ctx.ragged, ctx.dropout, ctx.seed = ragged, dropout, seed
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, gate, table, output = ctx.saved_tensors
        left = 1 - ctx.dropout
        random = np.random.SFC64(ctx.seed)
        to_query, to_key, to_value, to_gate = map(torch.zeros_like, (query, key, value, gate))
        to_table = torch.zeros_like(table, dtype=torch.float)
        inner = (output * gradient).sum(2, keepdim=True)  # Σ_j P_ij dP_ij, even with dropout
        for piece in pieces(ctx.ragged, query.shape[1]):
            weights, bias = piece.weights(query, key, gate, table), piece.bias(table)
            to_output = piece.reversed(gradient).div_(left)
            to_weights = torch.bmm(to_output, piece.keys(value).transpose(1, 2))
            dropped = weights
            if ctx.dropout:
                keep = keep_mask(weights.shape, ctx.dropout, random, weights.dtype)
                to_weights *= keep
                dropped = keep.mul_(weights)
            to_value[piece.clip] += torch.bmm(dropped.transpose(1, 2), to_output).transpose(0, 1)
            to_weights -= piece.reversed(inner)

            heads, rows, columns = weights.shape
            skewed = weights.new_zeros(heads, rows, rows + columns)
            to_scores = torch.mul(to_weights, weights, out=skewed[..., :columns])
            seen = torch.bmm(to_scores, piece.keys(key)).mul_(query.shape[2] ** -0.5)
            to_query[piece.queries] = piece.in_order(seen)
            seen = torch.bmm(to_scores.transpose(1, 2), piece.scaled(query))
            to_key[piece.clip] += seen.transpose(0, 1)
            seen = (to_scores * bias).sum(2, keepdim=True)
            to_gate[piece.queries] = piece.in_order(seen)
            length = rows + columns - 1
            diagonals = skewed.view(heads, -1)[:, : rows * length].view(heads, rows, length)
            to_table[:, piece.offset : piece.offset + length] += torch.bmm(
                piece.reversed(gate).transpose(1, 2), diagonals
            )[:, 0]
        return to_query, to_key, to_value, to_gate[..., 0], to_table, None, None


def _length(rows: slice) -> int:
    return rows.stop - rows.start
