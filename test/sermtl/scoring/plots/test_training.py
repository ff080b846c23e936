"""Learning curves: every fold and their mean, and a title that doesn't mislead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from sermtl.scoring.plots.training import learning_curves, loss_title


def epoch(number: int, loss: float = 1.0, **train: float) -> dict:
    scores = {"loss": loss / number, "macro_f1": 0.01 * number, "uar": 0.02 * number}
    return {"epoch": number, "train": {"loss": 2 * loss / number, **train}, "valid": scores}


def test_one_run_is_one_line(tmp_path: Path, drawn: Callable[[], Figure]) -> None:
    begun = {"epoch": 3, "train": {"loss": 1.0}}  # not validated yet
    learning_curves(tmp_path / "x", {"": [epoch(1), epoch(2), begun]})
    losses, scores = drawn().axes
    curves = {line.get_label(): line.get_xydata().tolist() for line in losses.lines + scores.lines}
    assert curves == {
        "training": [[1, 2], [2, 1], [3, 1]],
        "validation": [[1, 1], [2, 0.5]],
        "macro-F1": [[1, 0.01], [2, 0.02]],
        "UAR": [[1, 0.02], [2, 0.04]],
    }


def test_folds_are_averaged_while_all_go_on(tmp_path: Path, drawn: Callable[[], Figure]) -> None:
    histories = {"fold1": [epoch(1), epoch(2), epoch(3)], "fold2": [epoch(1, 3.0), epoch(2, 3.0)]}
    learning_curves(tmp_path / "x", histories)
    lines = [line for line in drawn().axes[0].lines if line.get_color() == "#E69F00"]
    first, second, mean = (line.get_xydata().tolist() for line in lines)
    assert first == [[1, 1], [2, 0.5], [3, pytest.approx(1 / 3)]]
    assert second == [[1, 3], [2, 1.5]]
    assert mean == [[1, 2], [2, 1]]
    assert lines[2].get_label() == "validation, mean of 2 folds"


def test_a_single_epoch_is_a_point_within_the_picture(
    tmp_path: Path, drawn: Callable[[], Figure]
) -> None:
    learning_curves(tmp_path / "x", {"": [epoch(1, macro=0)]})
    for axes in drawn().axes:
        low, high = axes.get_ylim()
        for line in axes.lines:
            assert line.get_marker() == "o" and low < line.get_ydata()[0] < high


def test_losses_of_different_terms_are_told() -> None:
    assert loss_title({"": [epoch(1)]}) == "loss"
    assert "without SWFC" in loss_title({"": [epoch(1, loss_swfc=3.0)]})
