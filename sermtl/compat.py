"""ESPnet's task base class, importable without torchaudio, and writing whole files.

``espnet2.tasks.abs_task`` imports torchaudio at module level, for a speech-separation beamformer
that nothing here uses. torchaudio's wheels link one exact torch build and fail beside any other, so
the project doesn't depend on it: where it can't be imported, an empty module stands in for it while
ESPnet's modules load. Import `AbsTask` from here before anything else of ``espnet2.tasks``.

The task writes ``config.yaml`` in place, of which a kill would leave a part, in the midst of a
method that does all the rest: so the class by which it opens the file is replaced.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from sermtl.files import atomic_write


@contextmanager
def torchaudio_placeholder() -> Iterator[None]:
    """While open, ``import torchaudio`` succeeds; a torchaudio that works is left alone."""
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError, RuntimeError):  # absent, or built for another torch
        pass
    else:
        yield
        return

    # transformers remembers its first answer to "is torchaudio there?": ask before it seems to be.
    from transformers.utils import is_torchaudio_available

    is_torchaudio_available()
    placeholder = ModuleType("torchaudio")
    placeholder.__spec__ = ModuleSpec("torchaudio", loader=None)  # find_spec raises on None
    sys.modules["torchaudio"] = placeholder
    try:
        yield
    finally:
        del sys.modules["torchaudio"]


with torchaudio_placeholder():
    from espnet2.tasks import abs_task
    from espnet2.tasks.abs_task import (
        AbsTask,
        IteratorOptions,
        optim_classes,
        scheduler_classes,
    )


class _Path(type(Path())):
    """Opens for writing what is then either whole or absent."""

    def open(self, mode: str = "r", *args: Any, **options: Any) -> AbstractContextManager[IO]:
        return atomic_write(self, mode) if "w" in mode else super().open(mode, *args, **options)


abs_task.Path = _Path

__all__ = [
    "AbsTask",
    "IteratorOptions",
    "abs_task",
    "optim_classes",
    "scheduler_classes",
    "torchaudio_placeholder",
]
