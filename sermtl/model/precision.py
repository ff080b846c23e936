"""The type that autocast asks for, where it is done by hand."""

from __future__ import annotations

import torch


def compute_dtype(device: torch.device) -> torch.dtype:
    """Autocast's type in its context, else fp32."""
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return torch.float32
