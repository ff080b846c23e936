"""Processes that train together, forked from one that has imported ESPnet for all of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["sermtl.training.task"])


@contextmanager
def started(
    work: Callable[..., None], ranks: int, logs: Path, *arguments: object
) -> Iterator[list[BaseProcess]]:
    """``work(rank, *arguments)`` in as many processes; what is left of them at the end is killed.

    Each is a session of its own, and writes to ``<logs>/<rank>.log``.
    """
    logs.mkdir(parents=True, exist_ok=True)
    processes = [
        CONTEXT.Process(target=_main, args=(work, rank, logs / f"{rank}.log", arguments))
        for rank in range(ranks)
    ]
    for process in processes:
        process.start()
    try:
        yield processes
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def left_of(process: BaseProcess, patience: float) -> list[int]:
    """Those of a rank's session that still run after ``patience`` seconds, or none before."""
    deadline = time.monotonic() + patience
    while (running := _session(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return running


def _session(leader: int) -> list[int]:
    running = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(status[3]) == leader and status[0] != "Z":
                running.append(int(folder.name))
    return running


def _main(work: Callable[..., None], rank: int, log: Path, arguments: tuple[object, ...]) -> None:
    os.setsid()
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    torch.set_num_threads(1)
    work(rank, *arguments)
