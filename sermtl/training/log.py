"""A job's log, and what of it the console repeats."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

from sermtl import jobs

PREFIX = "[progress]"
"""Marks the lines that the console repeats."""
TAIL = 25  # lines
WIDTH = 300  # characters of a line


class Follower:
    """Repeats a log's progress lines on the console while a job writes it, as a context.

    Args:
        log: the job's; what an earlier job left there is not repeated.
    """

    def __init__(self, log: Path) -> None:
        self.log, self.since = log, time.time()
        self.finished = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Follower:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Show what is left, then end."""
        self.finished.set()
        self.thread.join()

    def _follow(self) -> None:
        position = 0
        while True:
            last = self.finished.wait(0.5)
            # The launcher moves an earlier run's log away before it writes its own.
            if self.log.exists() and self.log.stat().st_mtime >= self.since:
                with open(self.log, "rb") as stream:
                    stream.seek(position)
                    content = stream.read()
                whole = content[: content.rfind(b"\n") + 1]
                position += len(whole)
                for line in whole.decode(errors="replace").splitlines():
                    if PREFIX in line:
                        print(line.split(PREFIX, 1)[1].strip(), flush=True)
            if last:
                return


def tail(log: Path) -> str:
    """The error that a log tells, or else its last lines; empty if there is no log."""
    if not log.exists():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return jobs.told([log]) or "\n".join(line[:WIDTH] for line in lines[-TAIL:])


def verdict(output: str) -> str:
    """What became of a job, from the output of its launcher; all of that if there is no word of it.

    Of a job that Slurm refused, or ended, its log may tell nothing.
    """
    told = re.findall(r"^(?:\w+\.pl: (?:job failed|error: )|sbatch: ).*", output, re.MULTILINE)
    return "\n".join(told) or output
