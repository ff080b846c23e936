"""Which pictures an experiment has: those that there are data for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sermtl.data.splits import Run
from sermtl.documents import read_json
from sermtl.scoring.label_counts import label_counts
from sermtl.scoring.plots.calibration import reliability_diagram
from sermtl.scoring.plots.classes import class_distribution, class_f1, confusion_matrix
from sermtl.scoring.plots.model import layer_weights, task_weights
from sermtl.scoring.plots.training import learning_curves
from sermtl.scoring.scores import reference
from sermtl.scoring.tested import AnsweredSet

Pictures = list[tuple[str, str]]
"""(title, file name without suffix)."""


def draw_set(
    target: Path, title: str, of: AnsweredSet, scores: Mapping[str, Any], names: Mapping[str, str]
) -> Pictures:
    """Pictures of one test set.

    Args:
        target: folder that they are written to.
        title: of the set.
        of: its answers.
        scores: its entry of ``results.json``.
        names: of the classes that have other names than their labels.
    """
    drawn: Pictures = []

    def add(kind: str, file: str) -> Path:
        drawn.append((kind, f"{file}_{title}"))
        return target / drawn[-1][1]

    if "confusion" in scores:
        labels = scores["labels"]
        shown = [names.get(label, label) for label in labels]
        confusion_matrix(add("Confusion matrix", "confusion"), scores["confusion"], shown)
        per_class = [scores["per_class"][label] for label in labels]
        stem = add("F1 by class", "class_f1")
        class_f1(stem, per_class, scores["macro_f1"]["value"], shown)
        stem = add("Reliability diagram", "reliability")
        reliability_diagram(stem, scores["reliability"], scores["ece"]["value"])
    emotions, classes = reference(of.parts, "emotion"), of.parts[0].classes
    tasks = list(of.parts[0].task_weights)
    # Folds whose labels switch different tasks off have no weights in common.
    alike = all(list(part.task_weights) == tasks for part in of.parts)
    if tasks and alike and set(emotions) & set(classes):
        weights = {t: np.concatenate([part.task_weights[t] for part in of.parts]) for t in tasks}
        shown = [names.get(label, label) for label in classes]
        stem = add("Task weights by emotion", "task_weights")
        task_weights(stem, weights, emotions, classes, shown)
    return drawn


def draw_experiment(
    target: Path,
    models: Mapping[str, Path],
    dumpdir: Path,
    runs: Sequence[Run],
    classes: Sequence[str],
    names: Mapping[str, str],
) -> Pictures:
    """Pictures of the data and the trainings.

    Args:
        target: folder that they are written to.
        models: folder of each run, by its name.
        dumpdir: of the recipe.
        runs: the trainings' sets.
        classes: the model's.
        names: of the classes that have other names than their labels.
    """
    drawn: Pictures = []

    def add(kind: str, file: str) -> Path:
        drawn.append((kind, file))
        return target / file

    def read(file: str) -> dict[str, Any]:
        return {
            name: read_json(model / file, "remove it, and its picture is left out")
            for name, model in models.items()
            if (model / file).exists()
        }

    if counts := label_counts(dumpdir, runs):
        shown = [names.get(label, label) for label in classes]
        stem = add("Class distribution", "class_distribution")
        class_distribution(stem, counts, classes, shown, len(runs))
    if histories := read("history.json"):
        learning_curves(add("Learning curves", "learning_curves"), histories)
    if layers := read("layer_weights.json"):
        weights = {name: content["weights"] for name, content in layers.items()}
        layer_weights(add("Layer weights", "layer_weights"), weights)
    return drawn
