"""A stage's jobs, through a starter with Kaldi's interface (``utils/run.pl``, ``slurm.pl``)."""

from __future__ import annotations

import multiprocessing
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sermtl.errors import UserError

STAGE = "SERMTL_STAGE"  # in a job's environment: host and process of the stage that started it
LIFE_SIGN = 0.5  # seconds between two looks whether the stage is alive
GOING = 5.0  # seconds in which a job has gone after its stage was killed


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
    environment = {**os.environ, STAGE: f"{socket.gethostname()} {os.getpid()}"}
    try:
        process = subprocess.Popen(command, start_new_session=True, env=environment, **options)
    except OSError as error:
        raise UserError(f"--cmd {command[0]}: can't be run ({error.strerror})") from error
    try:
        yield process
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate()  # ends when the last of them has gone
        raise


def end_with_stage() -> None:
    """Let this job go when its stage, on the same machine, was killed outright.

    Else it would work on for nobody, and in the way of the next run.
    """
    host, _, stage = os.environ.get(STAGE, "").partition(" ")
    if host != socket.gethostname():
        return

    def watch() -> None:
        while _is_alive(int(stage)):
            time.sleep(LIFE_SIGN)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_with_parent() -> None:
    """Let this process of `multiprocessing` go when its parent was killed outright."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    try:  # it may be dead and its parent not have noticed
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # a system without this, or just gone
        return True
    return state not in "ZX"


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


def told(logs: Iterable[Path]) -> str:
    """The error that logs tell their reader, on one line; empty if they tell none.

    Of several the first: where several processes write, the others follow from it.
    """
    for log in logs:
        if log.exists():
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
                if re.match(r"(\S+\.py: )?error: ", line):
                    return line
    return ""


def run(command: Sequence[str]) -> int:
    """Start, wait, and tell the exit status."""
    with started(command) as process:
        return process.wait()
