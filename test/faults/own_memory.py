"""What a process measures of its own memory."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from ranks import CONTEXT

LIBC = ctypes.CDLL(None)


def status(name: str) -> int:
    """A figure that the kernel has of this process: ``VmRSS``, in MB, or ``Threads``."""
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            number, *unit = value.split()
            return int(number) // (1024 if unit else 1)
    raise LookupError(name)


def resident() -> int:
    """MB in use, without what is free but kept."""
    gc.collect()
    LIBC.malloc_trim(0)
    return status("VmRSS")


class Peak:
    """Most memory that this process takes within the context, beyond what it has before, in MB."""

    def __enter__(self) -> Peak:
        self.before = resident()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        return self

    def __exit__(self, *_: object) -> None:
        self.megabytes = status("VmHWM") - self.before


def in_fresh_process(work: Callable[..., Any], *arguments: object) -> Any:
    """What ``work(*arguments)`` returns where nothing but imports has been done before."""
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        return pool.submit(work, *arguments).result()
