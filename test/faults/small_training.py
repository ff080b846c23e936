"""A training of a second, as a process that can be killed: the task is imported beforehand."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["sermtl.training.task"])


def start(arguments: list[str], log: Path) -> BaseProcess:
    """`sermtl.bin.ser_train` with these arguments."""
    process = _context.Process(target=_train, args=(arguments, log))
    process.start()
    return process


def finish(arguments: list[str], log: Path) -> str:
    """Train to the end; returns what was said."""
    process = start(arguments, log)
    process.join()
    assert process.exitcode == 0, log.read_text()
    return log.read_text()


def _train(arguments: list[str], log: Path) -> None:
    import torch

    from sermtl.bin.ser_train import main
    from sermtl.errors import run_main

    torch.set_num_threads(1)
    with open(log, "w") as stream:
        for output in (1, 2):
            os.dup2(stream.fileno(), output)
    sys.argv = ["ser_train", *arguments]
    run_main(main)
