"""Pictures: whole files, and a title that doesn't mislead."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from sermtl.scoring import plots

LABELS = ["neutral", "happy", "absent"]


def epoch(number: int, **train: float) -> dict:
    scores = {"loss": 1.0 / number, "macro_f1": 0.1 * number, "uar": 0.1 * number}
    return {"epoch": number, "train": {"loss": 2.0 / number, **train}, "valid": scores}


def draw(name: str, path: Path) -> None:
    if name == "confusion":
        plots.confusion_matrix(path, [[5, 1, 0], [2, 7, 1], [0, 0, 0]], LABELS)
    elif name == "layers":
        plots.layer_weights(path, {f"fold{k}": [0.5, 0.3, 0.2] for k in range(1, 10)})
    elif name == "tasks":
        weights = {"speaker": np.array([0.25, 0.5]), "asr": np.array([0.75, 0.5])}
        plots.task_weights(path, weights, ["neutral", "<unk>"], LABELS)
    else:
        begun = {"epoch": 2, "train": {"loss": 1.0}}  # not validated yet
        plots.learning_curves(path, {"": [epoch(1), begun]})


@pytest.mark.parametrize("name", ["confusion", "layers", "tasks", "curves"])
def test_pictures_are_drawn_alike_each_time(name: str, tmp_path: Path) -> None:
    pictures = []
    for i in range(2):
        path = tmp_path / f"{name}{i}.png"
        draw(name, path)
        pictures.append(matplotlib.image.imread(path))
    assert min(pictures[0].shape[:2]) > 300
    assert (pictures[0] == pictures[1]).all()
    assert len(list(tmp_path.iterdir())) == 2


def test_losses_of_different_terms_are_told() -> None:
    assert plots.loss_title({"": [epoch(1)]}) == "Loss"
    assert "without" in plots.loss_title({"": [epoch(1, loss_swfc=3.0)]})
