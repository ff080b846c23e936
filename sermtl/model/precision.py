"""Which floating-point type to compute in."""

from __future__ import annotations

import torch

from sermtl.errors import UserError
from sermtl.options import DTYPES


def precision(name: str) -> torch.dtype:
    """The type of this name.

    Raises:
        UserError: if it is none of `DTYPES`.
    """
    if name not in DTYPES:
        raise UserError(f"dtype: {name!r} is none of {', '.join(DTYPES)}")
    return getattr(torch, name)


def compute_dtype(device: torch.device) -> torch.dtype:
    """Autocast's type in its context, else fp32."""
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return torch.float32
