"""What `test_processes` runs in each process."""

from __future__ import annotations

import os
import time

import torch
from torch import distributed

from sermtl.training import processes

RANKS = 3
SECONDS = 4  # the time limit


def add_up(rank: int, init: str, failing: int, failure: Exception | int | None) -> None:
    """Endlessly, but for ``failing``: by an error or a signal in the third round, or at once."""
    if rank == failing and failure is None:
        return
    processes.PATIENCE = 2.0
    processes.limit_waiting(SECONDS)
    try:
        distributed.init_process_group(
            backend="gloo", init_method=init, rank=rank, world_size=RANKS
        )
        step = 0
        while True:
            step += 1
            if rank == failing and step == 3:
                if isinstance(failure, Exception):
                    raise failure
                os.kill(os.getpid(), failure)
            distributed.all_reduce(torch.ones(1))
    except Exception as error:
        processes.fail(error, SECONDS)


def end_or_wait(status: int | None) -> None:
    """End with a status at once, or be there for a minute."""
    if status is not None:
        os._exit(status)
    time.sleep(60)
