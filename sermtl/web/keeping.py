"""Recordings are kept a few minutes, for trying another window, and then are no more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KEPT = 600  # seconds that a recording is kept at most
SWEPT = 60  # seconds between looks for those to delete


@contextmanager
def swept(folder: Path) -> Iterator[None]:
    """While the block lasts, delete files of ``folder`` that are as old.

    Gradio's own deletion forgets uploads that were broken off.
    """
    over = threading.Event()

    def sweep() -> None:
        while not over.wait(SWEPT):
            for file in list(folder.rglob("*")):
                with suppress(OSError):  # it has gone by itself
                    if file.is_file() and file.stat().st_mtime < time.time() - KEPT + SWEPT:
                        file.unlink()

    sweeper = threading.Thread(target=sweep, daemon=True)
    sweeper.start()
    try:
        yield
    finally:
        over.set()
        sweeper.join()


def used(folder: Path) -> int:
    """Bytes of the files in it."""
    total = 0
    for file in list(folder.rglob("*")):
        with suppress(OSError):
            total += file.stat().st_size if file.is_file() else 0
    return total
