"""Which floating-point type to compute in, and weights in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sermtl.errors import UserError
from sermtl.options import DTYPES


def precision(name: str) -> torch.dtype:
    """The type of this name.

    Raises:
        UserError: if it is none of `DTYPES`.
    """
    if name not in DTYPES:
        raise UserError(f"dtype: {name!r} is none of {', '.join(DTYPES)}")
    return getattr(torch, name)


def compute_dtype(device: torch.device) -> torch.dtype:
    """Autocast's type in its context, else fp32."""
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return torch.float32


def together(groups: Sequence[Sequence[Tensor]], dtype: torch.dtype) -> list[Tensor]:
    """Each group's tensors one below the other, of another type.

    One kernel casts them all: a GPU takes longer to start one for each than to run it.
    """
    if all(tensor.dtype == dtype for group in groups for tensor in group):
        return [group[0] if len(group) == 1 else torch.cat(tuple(group)) for group in groups]
    return list(_Together.apply(dtype, [len(group) for group in groups], *chain(*groups)))


class _Together(torch.autograd.Function):
    """`together` of tensors that are all of one type."""

    @staticmethod
    def forward(
        ctx: Any, dtype: torch.dtype, sizes: Sequence[int], *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.sizes, ctx.dtype = sizes, tensors[0].dtype
        ctx.rows = [len(tensor) for tensor in tensors]
        rest, results, parts = iter(tensors), [], []
        for size in sizes:
            group = [next(rest) for _ in range(size)]
            rows = [len(tensor) for tensor in group]
            results.append(group[0].new_empty(sum(rows), *group[0].shape[1:], dtype=dtype))
            parts += results[-1].split(rows)
        torch._foreach_copy_(parts, tensors)
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, parts = iter(ctx.rows), []
        for gradient, size in zip(gradients, ctx.sizes, strict=True):
            parts += gradient.split([next(rows) for _ in range(size)])
        wanted = [i for i in range(len(parts)) if ctx.needs_input_grad[i + 2]]
        chosen = [parts[i] for i in wanted]
        cast = [torch.empty_like(part, dtype=ctx.dtype) for part in chosen]
        if cast:
            torch._foreach_copy_(cast, chosen)
        results: list[Tensor | None] = [None] * len(parts)
        for i, tensor in zip(wanted, cast, strict=True):
            results[i] = tensor
        return None, None, *results
