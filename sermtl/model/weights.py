"""Files of weights, read without running pickled code."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch

from sermtl.errors import UserError, first_line


def load(path: Path, device: str | torch.device = "cpu") -> Any:
    """Tensors and plain values only.

    Raises:
        UserError: if the file is missing, damaged, or holds anything else.
    """
    try:
        _check(path)
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: has training (stage 5) finished?") from error
    except (PermissionError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the unpickler raises all kinds of them
        reason = first_line(error).split(". ")[0][:200]
        raise UserError(
            f"{path}: damaged, or no weights ({reason}). If it is final.pth, delete it and run "
            "stage 5 again, which averages the best epochs anew; else take other weights of the "
            "experiment, or train it anew (stage 5, --force true)"
        ) from error


def _check(path: Path) -> None:
    """Compare the checksums that are in the file, which ``torch.load`` doesn't look at."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if member := archive.testzip():
                raise ValueError(f"{member} has another checksum")
