"""What a fresh process measures of its own memory."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

MEGABYTE = 1024  # kB


def status(name: str) -> int:
    """A figure that the kernel has of this process: ``VmRSS``, in MB, or ``Threads``."""
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            number, *unit = value.split()
            return int(number) // (MEGABYTE if unit else 1)
    raise LookupError(name)


class Peak:
    """Most memory that this process takes within the context, beyond what it has before, in MB."""

    def __enter__(self) -> Peak:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        self.before = status("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self.megabytes = status("VmHWM") - self.before


def in_fresh_process(work: Callable[..., Any], *arguments: object) -> Any:
    """What ``work(*arguments)`` returns elsewhere, where nothing else is in memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)
