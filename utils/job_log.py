"""Log files of jobs: their first and last lines, and the report of what failed."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import time

TAIL_LINES = 20
TAIL_BYTES = 1 << 16
REPORTED_TAILS = 3  # the same error in the logs of a hundred jobs is told three times


def log_header(command: list[str]) -> str:
    """First lines of a log: command, host, start."""
    shown = " ".join(shlex.quote(argument) for argument in command)
    return f"# {shown}\n# Running on {socket.gethostname()}\n# Started at {time.ctime()}\n#\n"


def log_trailer(status: str, seconds: float) -> str:
    """Last line of a log; ``status`` is like ``code 0`` or ``signal 9``."""
    return f"# Ended ({status}) at {time.ctime()}, elapsed time {seconds:.0f} seconds\n"


def log_tail(path: str) -> list[str]:
    """Last lines of a log file. Of a line that a progress bar rewrote, the last state."""
    try:
        with open(path, "rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - TAIL_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError as error:
        return [f"(can't be read: {error.strerror})"]
    lines = text.rstrip("\n").split("\n")[-TAIL_LINES:]
    return [line.rstrip("\r").rpartition("\r")[2] for line in lines]


def report_failures(program: str, failures: dict[int, tuple[str, str]], total: int) -> None:
    """Say on stderr which jobs failed and why.

    ``failures`` maps a job's number to its log file and what became of it (``code 1``).
    """
    for count, (number, (log, status)) in enumerate(sorted(failures.items())):
        which = f"job {number} of {total}" if total > 1 else "job"
        print(f"{program}: {which} failed ({status}), log: {log}", file=sys.stderr)
        if count < REPORTED_TAILS:
            for line in log_tail(log):
                print(f"    {line}", file=sys.stderr)
    if total > 1:
        print(f"{program}: {len(failures)} of {total} jobs failed", file=sys.stderr)
