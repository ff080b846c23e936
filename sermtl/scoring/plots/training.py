"""Picture of a training: losses, and the scores that select."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sermtl.canvas import COLUMN, colour, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Histories = Mapping[str, Sequence[Mapping[str, Any]]]
"""Epochs by fold (or one entry ``""``)."""

CURVES = (
    [("train", "loss", "training", "--"), ("valid", "loss", "validation", "-")],
    [("valid", "macro_f1", "macro-F1", "-"), ("valid", "uar", "UAR", "--")],
)
"""Of each panel: phase, figure, title and line."""


def learning_curves(stem: Path, histories: Histories) -> None:
    """Losses beside validation scores; of folds the mean, and each as a thin line."""
    with picture(stem, 2 * COLUMN, 2.3) as figure:
        panels = figure.subplots(1, len(CURVES))
        for axes, curves in zip(panels, CURVES, strict=True):
            for k, (phase, key, title, line) in enumerate(curves):
                runs = [
                    {e["epoch"]: e[phase][key] for e in epochs if key in e.get(phase, {})}
                    for epochs in histories.values()
                ]
                _curve(axes, [run for run in runs if run], title, colour(k), line)
            axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
            axes.set_xlabel("epoch")
            if axes.has_data():
                axes.legend()
        losses, scores = panels
        losses.set_ylabel(loss_title(histories))
        scores.set_ylabel("validation score")
        scores.set_ylim(0, max(0.1, 1.1 * scores.dataLim.y1))


def loss_title(histories: Histories) -> str:
    """Warns where the two losses have not the same terms: SWFC needs training's batches."""
    terms = {
        phase: {key for epochs in histories.values() for e in epochs for key in e.get(phase, {})}
        for phase in ("train", "valid")
    }
    if "loss_swfc" in terms["train"] - terms["valid"]:
        return "loss (validation: without SWFC)"
    return "loss"


def _curve(
    axes: Axes, runs: Sequence[Mapping[int, float]], title: str, shade: str, line: str
) -> None:
    """One figure over the epochs of all runs, each epoch -> value."""
    if not runs:
        return
    if len(runs) > 1:
        for run in runs:
            axes.plot(list(run), list(run.values()), line, color=shade, linewidth=0.5, alpha=0.5)
        title = f"{title}, mean of {len(runs)} folds"
    # Where a fold has ended, the mean of the others would jump.
    common = sorted(set.intersection(*map(set, runs)))
    means = [np.mean([run[epoch] for run in runs]) for epoch in common]
    marker = "o" if len(common) == 1 else ""
    axes.plot(common, means, line, color=shade, label=title, marker=marker)
