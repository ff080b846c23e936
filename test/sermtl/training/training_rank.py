"""What `test_two_processes` runs in each process."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

from sermtl.bin.ser_train import main
from sermtl.errors import run_main
from sermtl.training import processes
from sermtl.training.trainer import SERTrainer


def train(rank: int, arguments: Sequence[str], failing: int | None, signal: int) -> None:
    """``ser_train``; rank ``failing`` sends itself a signal."""
    processes.PATIENCE = 1.0
    with fails_in_epoch_two(signal if rank == failing else 0):
        run_main(lambda: main([*arguments, "--dist_rank", str(rank)]))


@contextmanager
def fails_in_epoch_two(signal: int) -> Iterator[None]:
    """After its training, before its validation; 0 is no signal."""
    validate, epochs = SERTrainer.validate_one_epoch, 0

    def fail(*args: object) -> None:
        nonlocal epochs
        epochs += 1
        assert multiprocessing.get_start_method() == "fork"  # for the data loader
        if epochs == 2:
            os.kill(os.getpid(), signal)
        validate(*args)

    with mock.patch.object(SERTrainer, "validate_one_epoch", fail):
        yield
