"""A stage's jobs, through a starter with Kaldi's interface (``utils/run.pl``, ``slurm.pl``)."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sermtl.errors import UserError


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen]:
    """A running job starter; whatever ends the block early stops it and its jobs.

    It leads a session of its own, so that the signal reaches what lies between (ESPnet's launcher
    doesn't pass it on) and the starter has the time to stop its jobs.

    Args:
        command: the starter, its options and the job.
        options: of ``subprocess.Popen``.

    Raises:
        UserError: if there is no such program.
    """
    try:
        process = subprocess.Popen(command, start_new_session=True, **options)
    except OSError as error:
        raise UserError(f"--cmd {command[0]}: can't be run ({error.strerror})") from error
    try:
        yield process
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate()  # ends when the last of them has gone
        raise


def starter(cmd: str) -> list[str]:
    """``--cmd`` as words.

    Raises:
        UserError: if it isn't a program and its options.
    """
    try:
        words = shlex.split(cmd)
    except ValueError as error:
        raise UserError(f"--cmd {cmd!r}: {error}") from error
    if not words or shutil.which(words[0]) is None:
        raise UserError(
            f"--cmd {cmd!r}: there is no such program; utils/run.pl runs jobs here, "
            "utils/slurm.pl through Slurm"
        )
    return words


def is_local(cmd: str) -> bool:
    """Whether ``--cmd`` starts jobs on this machine."""
    return os.path.basename(starter(cmd)[0]) == "run.pl"


def with_gpus(jobs: int, ngpu: int, cmd: str) -> int:
    """How many of ``jobs`` to start where each that has a GPU keeps a model in its memory.

    Args:
        jobs: as asked for.
        ngpu: GPUs of a machine; 0 for none.
        cmd: the starter. Of its own machine's GPUs, none gets two jobs.
    """
    return min(jobs, ngpu) if ngpu and is_local(cmd) else jobs


def device(ngpu: int, job: int = 1) -> str:
    """A job's torch device: the CPU, or the visible GPUs in turn (jobs count from 1).

    Raises:
        UserError: if a GPU is asked for and torch sees none.
    """
    if ngpu == 0:
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        raise UserError("--ngpu asks for a GPU and torch sees none here: use --ngpu 0")
    return f"cuda:{(job - 1) % torch.cuda.device_count()}"


def run(command: Sequence[str]) -> int:
    """Start, wait, and tell the exit status."""
    with started(command) as process:
        return process.wait()
