"""Checkpoints that survive a kill at any instant and load without running pickled code."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from espnet2.train.reporter import Reporter
from torch import Tensor

from sermtl.files import atomic_write
from sermtl.model.weights import load as load
from sermtl.model.weights import load_state


def save(path: Path, content: Any) -> None:
    """``torch.save``, whole or not at all."""
    with atomic_write(path, "wb") as stream:
        torch.save(content, stream)


def link(path: Path, target: str) -> None:
    """Point the symbolic link ``path`` at ``target`` in one step."""
    temporary = path.with_name(f".{path.name}.link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)


def reporter_state(reporter: Reporter) -> dict[str, Any]:
    """The reporter's history as plain numbers (it keeps numpy scalars and time deltas)."""
    return {
        "epoch": reporter.epoch,
        "stats": {
            epoch: {
                phase: {k: _plain(v) for k, v in stats.items()} for phase, stats in part.items()
            }
            for epoch, part in reporter.stats.items()
        },
    }


def restore_reporter(reporter: Reporter, state: dict[str, Any]) -> None:
    """Undo `reporter_state`."""
    reporter.epoch = state["epoch"]
    reporter.stats = {
        epoch: {
            phase: {
                k: datetime.timedelta(seconds=v) if k == "time" else v for k, v in stats.items()
            }
            for phase, stats in part.items()
        }
        for epoch, part in state["stats"].items()
    }


def average(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Mean of several state dicts, one in memory at a time; integers are the first's."""
    mean = load_state(paths[0])
    for path in paths[1:]:
        for name, value in load_state(path).items():
            if mean[name].is_floating_point():
                mean[name] = mean[name] + value
    return {k: v / len(paths) if v.is_floating_point() else v for k, v in mean.items()}


def average_best(
    folder: Path, reporter: Reporter, criterion: Sequence[str], keep: Sequence[int]
) -> Path:
    """Write ``<phase>.<metric>.ave_<n>best.pth`` for each n, and ``….ave.pth`` for the largest.

    Args:
        folder: holds ``<epoch>epoch.pth``.
        criterion: phase, metric and ``max`` or ``min``.
        keep: the n; capped by the number of epochs trained.

    Returns:
        The last of these files, a link.
    """
    phase, metric, _ = criterion
    epochs = reporter.sort_epochs(*criterion)
    name = f"{phase}.{metric}"
    for n in sorted({min(n, len(epochs)) for n in keep}):
        file = folder / f"{name}.ave_{n}best.pth"
        logging.info(f"averaging epochs {epochs[:n]} to {file.name}")
        save(file, average([folder / f"{epoch}epoch.pth" for epoch in epochs[:n]]))
    link(folder / f"{name}.ave.pth", file.name)
    return folder / f"{name}.ave.pth"


def _plain(value: Any) -> float | int:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value if isinstance(value, int) else float(value)
