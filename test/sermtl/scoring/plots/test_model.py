"""Pictures of weights: means over folds and over the utterances of an emotion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from sermtl.scoring.plots.model import layer_weights, task_weights


@pytest.mark.parametrize("layers", [1, 3, 13, 25, 49])
@pytest.mark.parametrize("folds", [1, 5])
def test_layers_show_every_fold_and_their_mean(
    layers: int, folds: int, tmp_path: Path, drawn: Callable[[], Figure]
) -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(layers), folds)
    layer_weights(tmp_path / "x", {f"fold{k}": list(row) for k, row in enumerate(shares)})
    axes = drawn().axes[0]
    heights = [bar.get_height() for bar in axes.containers[0]]
    assert heights == pytest.approx([sum(column) / folds for column in shares.T])
    points = [line for line in axes.lines if line.get_label() == "a fold"]
    assert len(points) == (folds > 1)
    for line in points:
        expected = {(layer, share) for row in shares for layer, share in enumerate(row)}
        assert {tuple(point) for point in line.get_xydata()} == expected


def test_tasks_are_stacked_by_emotion(tmp_path: Path, drawn: Callable[[], Figure]) -> None:
    weights = {"speaker": np.array([0.2, 0.4, 0.9]), "asr": np.array([0.8, 0.6, 0.1])}
    references, labels = ["H", "H", "<unk>"], ["N", "H"]
    task_weights(tmp_path / "x", weights, references, labels, ["neutral", "happiness"])
    axes = drawn().axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["happiness"]
    lower, upper = (bars[0] for bars in axes.containers)
    assert (lower.get_y(), lower.get_height()) == pytest.approx((0, 0.3))
    assert (upper.get_y(), upper.get_height()) == pytest.approx((0.3, 0.7))
    assert [text.get_text() for text in axes.texts] == ["0.30", "0.70"]


@pytest.mark.parametrize("classes", [2, 8, 11])
def test_numbers_of_many_emotions_are_legible(
    classes: int, tmp_path: Path, drawn: Callable[[], Figure]
) -> None:
    labels = [f"emotion{k}" for k in range(classes)]
    weights = {task: np.full(classes, 1 / 3) for task in ("speaker", "gender", "asr")}
    task_weights(tmp_path / "x", weights, labels, labels, labels)
    assert len(drawn().axes[0].texts) == 3 * classes
