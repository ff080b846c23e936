"""What a loss over the global batch needs from the other processes; nothing in a single one."""

from __future__ import annotations

import gc
from typing import Any

import torch
from torch import Tensor, distributed


def world_size() -> int:
    """Number of processes that share a global batch."""
    return distributed.get_world_size() if _distributed() else 1


def sum_over_ranks(counts: Tensor) -> Tensor:
    """``counts`` added up over all processes."""
    if _distributed():
        counts = counts.clone()
        distributed.all_reduce(counts)
    return counts


def leave() -> None:
    """End the process group once every process has come to its end.

    A process that exits while gloo's threads are at work aborts now and then, although all it had
    to do is done, and its job counts as failed.
    """
    if _distributed():
        gc.collect()  # DistributedDataParallel is held by cycles, and holds the group
        distributed.barrier()
        distributed.destroy_process_group()


def gather_rows(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The global batch, of which this process has ``[rank::world_size]``, with gradients.

    Args:
        features: ``(B, D)``.
        labels: ``(B,)``.

    Returns:
        Features and labels of all processes in the global batch's order, and the places of this
        process's rows among them, ``(B,)``.
    """
    rows = torch.arange(len(labels), device=labels.device)
    if not _distributed():
        return features, labels, rows
    ranks, rank = world_size(), distributed.get_rank()
    sizes = torch.zeros(ranks, dtype=torch.long, device=labels.device)
    sizes[rank] = len(labels)
    distributed.all_reduce(sizes)
    padding = int(sizes.max()) - len(labels)  # ranks may differ by a row, but must send as many
    padded = torch.nn.functional.pad(features, (0, 0, 0, padding))
    padded_labels = torch.nn.functional.pad(labels, (0, padding))
    every_label = torch.stack(_all_gather(padded_labels), dim=1).flatten()  # (rows · ranks,)
    every_feature = _GatherWithGradient.apply(padded).transpose(0, 1).flatten(0, 1)
    slots = torch.arange(len(every_label), device=labels.device)
    taken = slots // ranks < sizes[slots % ranks]
    return every_feature[taken], every_label[taken], rows * ranks + rank


class _GatherWithGradient(torch.autograd.Function):
    """``(B, D)`` of each rank to ``(R, B, D)``; a row's gradient comes from all ranks' losses."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return torch.stack(_all_gather(tensor))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous()
        distributed.all_reduce(gradient)
        return gradient[distributed.get_rank()]


def _all_gather(tensor: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(tensor) for _ in range(world_size())]
    distributed.all_gather(parts, tensor.contiguous())
    return parts


def _distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()
