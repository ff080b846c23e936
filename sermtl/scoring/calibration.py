"""Calibration: how far a model's confidence is from its accuracy.

Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning",
AAAI 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sermtl.scoring.predictions import Predicted

BINS = 10


def confidences(parts: Sequence[Predicted], labels: Sequence[str]) -> np.ndarray:
    """Probability of each answer among ``labels``, given that it is one of them: (N,)."""
    result = []
    for part in parts:
        columns = [part.classes.index(label) for label in labels]
        probabilities = part.probabilities[:, columns]
        answered = probabilities[np.arange(len(probabilities)), part.emotions(labels)]
        total = probabilities.sum(axis=1)
        # The table rounds: probabilities of a few of the classes may all be zero.
        even = np.full(len(total), 1 / len(columns))
        result.append(np.divide(answered, total, out=even, where=total > 0))
    return np.concatenate(result)


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> dict[str, Any]:
    """Answers by confidence, in bins of equal width that hold their upper edges.

    Args:
        confidence: (N,), from 0 to 1.
        correct: (N,) bool.
        bins: number of bins, B.

    Returns:
        ``count``, and the means ``confidence`` and ``accuracy``, each of B values; ``None`` is the
        mean of an empty bin.
    """
    edges = np.linspace(0, 1, bins + 1)
    index = np.searchsorted(edges[1:-1], confidence)
    count = np.bincount(index, minlength=bins).tolist()

    def means(values: np.ndarray) -> list[float | None]:
        sums = np.bincount(index, values, bins).tolist()
        return [s / n if n else None for s, n in zip(sums, count, strict=True)]

    return {"count": count, "confidence": means(confidence), "accuracy": means(correct)}


def expected_calibration_error(bins: dict[str, Any]) -> float:
    """Mean distance of confidence and accuracy over the answers of `reliability`'s bins."""
    rows = zip(bins["count"], bins["confidence"], bins["accuracy"], strict=True)
    return sum(n * abs(sure - right) for n, sure, right in rows if n) / sum(bins["count"])
