"""What `test_distributed` runs in each of two processes."""

from __future__ import annotations

import torch
from tiny import batch, ser_model
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from sermtl.model.distributed import leave

STEPS = 3
RANKS = 2


def batches():
    """Odd sizes; in one, all genders known are on one rank."""
    data = [batch(size, seed) for seed, size in enumerate((7, 5, 6))]
    data[1]["gender"][0::2] = -1
    return data


def train(model, network, parts, ranks):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for part in parts:
        loss, stats, weight = network(**part)
        assert weight == 1
        optimizer.zero_grad()
        loss.backward()  # ESPnet's loss·weight·R/W is the loss itself: all weights are 1
        optimizer.step()
        losses.append({name: value / ranks for name, value in stats.items()})
    return losses


def rank_main(rank, init_file, result):
    distributed.init_process_group(
        "gloo", init_method=f"file://{init_file}", rank=rank, world_size=RANKS
    )
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = ser_model(swfc={"queue_size": 8}).train()
    parts = [{k: v[rank::RANKS] for k, v in data.items()} for data in batches()]
    losses = train(model, DistributedDataParallel(model), parts, RANKS)
    for step in losses:
        for value in step.values():
            distributed.all_reduce(value)
    if rank == 0:
        torch.save({"losses": losses, "model": model.state_dict()}, result)
    leave()
