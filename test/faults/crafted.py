"""Files made to do harm where they are read, and how to see that they didn't."""

from __future__ import annotations

import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch


class Command:
    """Pickled, a call of the shell."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def plain_pickle(path: Path, content: Any) -> None:
    path.write_bytes(pickle.dumps(content))


def torch_zip(path: Path, content: Any) -> None:
    torch.save(content, path)


def torch_legacy(path: Path, content: Any) -> None:
    """What torch wrote before 1.6."""
    torch.save(content, path, _use_new_zipfile_serialization=False)


def torch_tar(path: Path, content: Any) -> None:
    """What torch wrote before 0.1.10: a tar of pickles."""
    with tarfile.open(path, "w") as members:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = pickle.dumps(content, protocol=2)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            members.addfile(member, BytesIO(data))


FORMATS: list[Callable[[Path, Any], None]] = [plain_pickle, torch_zip, torch_legacy, torch_tar]


def deflated(path: Path, source: Path) -> None:
    """A zip's members compressed, so that zeros take a thousandth of their room."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
