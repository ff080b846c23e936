"""Which floating-point type to compute in."""

from __future__ import annotations

import torch

from sermtl.errors import UserError

NAMES = ("float32", "bfloat16")


def precision(name: str) -> torch.dtype:
    """The type of this name.

    Raises:
        UserError: for others than fp32 and bf16. (In fp16, gradients would need to be scaled.)
    """
    if name not in NAMES:
        raise UserError(f"dtype: {name!r} is none of {', '.join(NAMES)}")
    return getattr(torch, name)


def compute_dtype(device: torch.device) -> torch.dtype:
    """Autocast's type in its context, else fp32."""
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return torch.float32
