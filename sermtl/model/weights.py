"""Files of weights, of torch or safetensors, read without running pickled code."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sermtl.errors import UserError, first_line
from sermtl.zips import check_stored

RETRAIN = (
    "If it is final.pth, delete it and run stage 5 again, which averages the best epochs anew; "
    "else take other weights of the experiment, or train it anew (stage 5, --force true)"
)


def load(path: Path, device: str | torch.device = "cpu", advice: str = RETRAIN) -> Any:
    """Tensors and plain values only.

    Args:
        path: safetensors by its suffix, or else what torch wrote.
        device: that the tensors are put on.
        advice: what to do about a file that can't be read.

    Raises:
        UserError: if the file is missing, damaged, holds anything else, or would grow in memory.
    """
    if not path.exists():
        raise UserError(f"{path} is missing: has training (stage 5) finished?")
    check_stored(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path, device=str(device))
        _check(path)
        return torch.load(path, map_location=device, weights_only=True)
    except (PermissionError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a damaged or crafted file may fail anywhere in its reader
        raise UserError(f"{path}: damaged, or no weights ({_reason(error)}). {advice}") from error


def _check(path: Path) -> None:
    """Compare the checksums that are in the file, which ``torch.load`` doesn't look at."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if member := archive.testzip():
                raise ValueError(f"{member} has another checksum")


def load_state(
    path: Path, device: str | torch.device = "cpu", advice: str = RETRAIN
) -> dict[str, Tensor]:
    """Tensors by name.

    Raises:
        UserError: as `load`, and if the file holds anything else.
    """
    state = load(path, device, advice)
    if not isinstance(state, Mapping) or not state:
        raise UserError(f"{path}: no weights in it. {advice}")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(f"{path}: {name!r} is no weight. {advice}")
    return dict(state)


def misfits(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """What a model with the tensors ``own`` misses in ``state``; empty if nothing."""
    missing = [name for name in own if name not in state]
    wrong = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(value.shape)}"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    found = [("missing", missing), ("of another shape", wrong)]
    return "; ".join(f"{what}: {_some(names)}" for what, names in found if names)


def _reason(error: Exception) -> str:
    """Without torch's advice how to run the file's code nonetheless."""
    if isinstance(error, pickle.UnpicklingError):
        wanted = re.search(r"GLOBAL (\S+) was not an allowed", str(error))
        return f"it would run {wanted[1]}" if wanted else "it holds more than weights"
    return first_line(error).split(". ")[0][:200]


def _some(names: list[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
