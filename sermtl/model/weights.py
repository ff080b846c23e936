"""Files of weights, read without running pickled code."""

from __future__ import annotations

import pickle
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
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: has training (stage 5) finished?") from error
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = first_line(error)[:200]
        raise UserError(
            f"{path}: damaged, or no weights ({reason}). Take other weights of the experiment, or "
            "train it anew (stage 5, --force true)"
        ) from error
