"""Training runs: the ESPnet task, its trainer, and the folders they fill."""

from pathlib import Path

CHECKPOINT = "checkpoint.pth"
"""Where a run goes on from; the first one marks the end of the first epoch."""
SPARE_CHECKPOINT = "checkpoint.previous.pth"
"""That of the epoch before, for the case that the other one is damaged."""
HISTORY = "history.json"
"""Metrics of each epoch."""
FINAL_WEIGHTS = "final.pth"
"""What training ends with: a link to the average of the best epochs."""


def has_begun(folder: Path) -> bool:
    """Whether a run has come to the end of its first epoch: there is something to lose."""
    return any((folder / name).exists() for name in (CHECKPOINT, SPARE_CHECKPOINT, HISTORY))
