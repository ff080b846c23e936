"""What a loss over the global batch needs from the other processes; nothing in a single one."""

from __future__ import annotations

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


def gather_rows(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, int]:
    """All processes' rows in rank order, with gradients, and where this process's own begin.

    Batches may differ by a row between ranks, so they travel padded to the longest.

    Args:
        features: ``(B, D)``.
        labels: ``(B,)``.
    """
    if not _distributed():
        return features, labels, 0
    from torch.distributed.nn.functional import all_gather

    rank = distributed.get_rank()
    sizes = torch.zeros(world_size(), dtype=torch.long, device=labels.device)
    sizes[rank] = len(labels)
    distributed.all_reduce(sizes)
    rows = int(sizes.max())
    missing = rows - len(labels)
    padded = torch.nn.functional.pad(features, (0, 0, 0, missing))
    padded_labels = torch.nn.functional.pad(labels, (0, missing))
    every_label = [torch.empty_like(padded_labels) for _ in sizes]
    distributed.all_gather(every_label, padded_labels)
    keep = [slice(0, int(size)) for size in sizes]
    return (
        torch.cat([part[s] for part, s in zip(all_gather(padded), keep, strict=True)]),
        torch.cat([part[s] for part, s in zip(every_label, keep, strict=True)]),
        int(sizes[:rank].sum()),
    )


def _distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()
