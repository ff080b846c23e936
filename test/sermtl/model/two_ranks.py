"""What `test_distributed` runs in each of two processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import mock

import torch
from tiny import batch, ser_model
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from sermtl.model.distributed import leave

STEPS = 12
RANKS = 2
CASES = {"queue": (8, 1), "no queue": (0, 1), "accumulated": (8, 2)}
"""How many features SWFC remembers, and how many batches make an update."""


def batches(accumulated: int) -> list[dict[str, Tensor]]:
    """For 12 updates: of odd sizes, in some of which a rank has no label of a task."""
    data = [batch(5 + seed % 3, seed) for seed in range(STEPS * accumulated)]
    for part in data[0::5]:
        part["gender"][0::2] = -1
    for part in data[1::5]:
        part["text_lengths"][1::2], part["text"][1::2] = 0, -1
    for part in data[2::5]:
        part["emotion"][0::2] = -1
    for part in data[3::5]:
        part["speaker"][:] = -1  # on none
    return data


def train(
    model: nn.Module,
    network: nn.Module,
    parts: Sequence[dict[str, Tensor]],
    ranks: int,
    accumulated: int,
) -> list[dict[str, Tensor]]:
    """As ESPnet does; this process's statistics of each batch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for step, part in enumerate(parts, 1):
        loss, stats, weight = network(**part)
        assert weight == 1
        loss /= accumulated  # ESPnet's loss·weight·R/W is the loss itself: all weights are 1
        loss.backward()
        if step % accumulated == 0:
            optimizer.step()
            optimizer.zero_grad()
        losses.append({name: value / ranks for name, value in stats.items()})
    return losses


def train_case(case: str, rank: int = 0, ranks: int = 1) -> dict[str, Any]:
    """Statistics of the global batches, and the model at the end."""
    queue_size, accumulated = CASES[case]
    torch.manual_seed(0)
    network = model = ser_model(swfc={"queue_size": queue_size}).train()
    if ranks > 1:
        network = DistributedDataParallel(model)
    parts = [{k: v[rank::ranks] for k, v in data.items()} for data in batches(accumulated)]
    losses = train(model, network, parts, ranks, accumulated)
    if ranks > 1:
        for step in losses:
            for value in step.values():
                distributed.all_reduce(value)
    return {"losses": losses, "model": model.state_dict()}


def rank_main(rank: int, init_file: str, result: str) -> None:
    """All cases, and one as if each process knew its own rows only."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{init_file}", rank=rank, world_size=RANKS
    )
    results = {case: train_case(case, rank, RANKS) for case in CASES}
    with (
        mock.patch("sermtl.model.ser_model.sum_over_ranks", lambda counts: counts),
        mock.patch("sermtl.model.ser_model.world_size", lambda: 1),
        mock.patch("sermtl.model.distributed._distributed", lambda: False),
    ):
        results["local means"] = train_case("queue", rank, RANKS)
    if rank == 0:
        torch.save(results, result)
    leave()
