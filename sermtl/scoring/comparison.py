"""Two systems on the same test set, by the paired bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sermtl.data.edit_distance import error_rate
from sermtl.data.tasks import CLOSED
from sermtl.errors import UserError
from sermtl.scoring.intervals import Statistic, paired_test
from sermtl.scoring.metrics import METRICS
from sermtl.scoring.predictions import Predicted
from sermtl.scoring.scores import (
    closed_cells,
    closed_classes,
    emotion_cells,
    on_cells,
    units_of,
    word_counts,
)
from sermtl.scoring.tested import AnsweredSet


def compare(first: AnsweredSet, second: AnsweredSet) -> dict[str, dict[str, Any]]:
    """How far the second system is from the first.

    Args:
        first, second: answers of both to the same utterances, as `read_tested` gives them.

    Returns:
        For each of ``macro_f1``, ``accuracy``, ``uar``, ``gender_accuracy`` and ``wer`` that both
        have: ``difference`` (second minus first) and ``p``, as `paired_test` gives them.

    Raises:
        UserError: if the systems were tested on different utterances, with different references,
            or tell different classes apart.
    """
    _check(first.parts, second.parts)
    both = (first.parts, second.parts)
    result: dict[str, dict[str, Any]] = {}

    def add(counted: Sequence[tuple[np.ndarray, np.ndarray]], metrics: dict[str, Statistic]):
        (chosen, one), (_, other) = counted
        if chosen.any():
            result.update(paired_test(one, other, units_of(first.parts, chosen), metrics))

    labels = first.closed or first.parts[0].classes
    names = ("macro_f1", "accuracy", "uar")
    metrics = {name: on_cells(METRICS[name], len(labels)) for name in names}
    add([emotion_cells(parts, labels) for parts in both], metrics)
    for task in CLOSED:
        if _answer(both, task):
            classes = sorted(set.union(*(closed_classes(parts, task) for parts in both)))
            accuracy = {f"{task}_accuracy": on_cells(METRICS["accuracy"], len(classes))}
            add([closed_cells(parts, task, classes) for parts in both], accuracy)
    if _answer(both, "transcript"):
        add([word_counts(parts) for parts in both], {"wer": error_rate})
    return result


def _answer(systems: Sequence[Sequence[Predicted]], column: str) -> bool:
    return all(column in part.answers for parts in systems for part in parts)


def _check(first: Sequence[Predicted], second: Sequence[Predicted]) -> None:
    def identity(parts: Sequence[Predicted]) -> list[Any]:
        return [(part.name, part.ids, part.classes, part.references) for part in parts]

    if identity(first) != identity(second):
        raise UserError(
            "the systems were not tested on the same utterances, references and classes: run "
            "stages 6 and 7 of both again"
        )
