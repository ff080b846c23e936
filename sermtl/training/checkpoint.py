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

from sermtl.errors import UserError
from sermtl.files import atomic_write, link, remove
from sermtl.model.weights import load, load_state
from sermtl.training import CHECKPOINT, SPARE_CHECKPOINT, has_begun
from sermtl.training.log import PREFIX

KEYS = {"model", "reporter", "optimizers", "schedulers"}


class Checkpoints:
    """The states that a training goes on from: of the last epoch, and of the one before.

    The latter takes over where the former is damaged. A training repeats an epoch bit by bit, so
    nothing is lost but time.

    Args:
        folder: of the experiment.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last, self.spare = folder / CHECKPOINT, folder / SPARE_CHECKPOINT
        self._last_is_whole = True

    def load(self, device: str = "cpu") -> dict[str, Any] | None:
        """The newest states that are whole; ``None`` before the end of the first epoch.

        Raises:
            UserError: if a run has begun and none of its checkpoints is whole.
        """
        if not has_begun(self.folder):
            return None
        reasons = []
        for path in (self.last, self.spare):
            try:
                states = _read(path, device)
            except UserError as error:
                reasons.append(str(error))
                continue
            epoch = states["reporter"]["epoch"]
            logging.info(f"resumed from {path}, after epoch {epoch}")
            if reasons:
                self._last_is_whole = False
                logging.warning(
                    f"{PREFIX} warning: {reasons[0]}. Going on from {path}, after epoch {epoch}"
                )
            return states
        raise UserError(
            f"training can't go on: {'; '.join(reasons)}. Put back a copy of one of them, or start "
            "anew with --force true, which sets this folder aside; its <n>epoch.pth can be tested "
            "(stage 6 with --inference_args '--weights <n>epoch.pth')"
        )

    def save(self, states: dict[str, Any]) -> None:
        """Make the last checkpoint the spare one, and these states the last one.

        At any instant at least one of them is there and whole.
        """
        if not self._last_is_whole:
            remove(self.last) if self.last.is_dir() else self.last.unlink(missing_ok=True)
        elif self.last.exists():
            self.last.replace(self.spare)
        save(self.last, states)
        self._last_is_whole = True


def _read(path: Path, device: str) -> dict[str, Any]:
    if not path.exists():
        raise UserError(f"{path} is missing")
    states = load(path, device)
    if not isinstance(states, dict) or states.keys() != KEYS:
        raise UserError(f"{path} is no checkpoint of a training")
    return states


def save(path: Path, content: Any) -> None:
    """``torch.save``, whole or not at all."""
    with atomic_write(path, "wb") as stream:
        torch.save(content, stream)


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
