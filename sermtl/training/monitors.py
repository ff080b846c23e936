"""Where training's figures go besides the experiment's folder: TensorBoard, Weights & Biases.

These are ESPnet's options. They change nothing of what is learnt, so they aren't part of the
experiment: neither of its name nor of the configuration that it has to keep.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sermtl.errors import UserError


def is_monitor(option: str) -> bool:
    """Whether an option of training is about monitors."""
    return option in ("use_tensorboard", "use_wandb") or option.startswith("wandb_")


def divide(conf: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configuration without monitors, and the monitors."""
    kept = {key: value for key, value in conf.items() if not is_monitor(key)}
    return kept, {key: value for key, value in conf.items() if is_monitor(key)}


def check(monitors: Mapping[str, Any]) -> None:
    """Refuse Weights & Biases where ESPnet would fail, or go on without it.

    Raises:
        UserError: if it isn't installed, or nobody is logged in.
    """
    if not monitors.get("use_wandb"):
        return
    try:
        import wandb
    except ImportError as error:
        raise UserError("use_wandb: Weights & Biases isn't installed: pip install wandb") from error
    away = os.environ.get("WANDB_MODE", "online") != "online"  # offline, or disabled
    if not away and not wandb.login(prompt=False):
        raise UserError(
            "use_wandb: not logged in to Weights & Biases: `wandb login`, or WANDB_MODE=offline"
        )
