"""Classification metrics from confusion matrices.

Every metric is a function of the confusion matrix alone, and takes a stack of them as readily as
one, so that the bootstrap (`sermtl.scoring.intervals`) computes all resamples in one call.
Conventions, equal to scikit-learn's with explicit ``labels``:

* macro-F1 and UAR average over the classes present in the reference;
* micro-F1 is taken over the model's whole inventory: each utterance has one label and one
  prediction in it, so it equals accuracy.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def confusion_matrix(reference: Any, hypothesis: Any, num_classes: int) -> np.ndarray:
    """Count of (reference, hypothesis) pairs.

    Args:
        reference: class indices (N,).
        hypothesis: class indices (N,).
        num_classes: size of the model's inventory, C.

    Returns:
        (C, C) int64, rows the reference and columns the hypothesis.

    Raises:
        ValueError: when the lengths differ or an index lies outside 0..C-1.
    """
    reference = np.asarray(reference, dtype=np.int64)
    hypothesis = np.asarray(hypothesis, dtype=np.int64)
    if reference.shape != hypothesis.shape:
        raise ValueError(f"{reference.size} references but {hypothesis.size} hypotheses")
    for name, indices in (("reference", reference), ("hypothesis", hypothesis)):
        if indices.size and (indices.min() < 0 or indices.max() >= num_classes):
            raise ValueError(f"{name} indices must lie in 0..{num_classes - 1}")
    counts = np.bincount(reference * num_classes + hypothesis, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """numerator / denominator, 0 where the denominator is 0."""
    numerator = np.asarray(numerator, dtype=np.float64)
    return np.divide(
        numerator, denominator, out=np.zeros_like(numerator), where=np.asarray(denominator) > 0
    )


def _diagonal(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def support(confusion: np.ndarray) -> np.ndarray:
    """Number of reference utterances per class: (..., C, C) -> (..., C)."""
    return confusion.sum(axis=-1)


def recall(confusion: np.ndarray) -> np.ndarray:
    """Recall per class: (..., C, C) -> (..., C), 0 for classes absent from the reference."""
    return _ratio(_diagonal(confusion), support(confusion))


def precision(confusion: np.ndarray) -> np.ndarray:
    """Precision per class: (..., C, C) -> (..., C), 0 for classes never predicted."""
    return _ratio(_diagonal(confusion), confusion.sum(axis=-2))


def f1(confusion: np.ndarray) -> np.ndarray:
    """F1 per class: (..., C, C) -> (..., C), 0 for classes neither present nor predicted."""
    return _ratio(2 * _diagonal(confusion), support(confusion) + confusion.sum(axis=-2))


def _mean_over_present(per_class: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    present = support(confusion) > 0
    return _ratio((per_class * present).sum(axis=-1), present.sum(axis=-1))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes present in the reference: (..., C, C) -> (...)."""
    return _mean_over_present(f1(confusion), confusion)


def uar(confusion: np.ndarray) -> np.ndarray:
    """Unweighted average recall over the classes present in the reference: (..., C, C) -> (...)."""
    return _mean_over_present(recall(confusion), confusion)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of utterances classified correctly: (..., C, C) -> (...)."""
    return _ratio(_diagonal(confusion).sum(axis=-1), confusion.sum(axis=(-2, -1)))


def micro_f1(confusion: np.ndarray) -> np.ndarray:
    """F1 of the pooled decisions over the whole inventory: (..., C, C) -> (...)."""
    total = confusion.sum(axis=(-2, -1))
    return _ratio(2 * _diagonal(confusion).sum(axis=-1), total + total)


# The figures of a classification task that carry an interval.
METRICS = {"macro_f1": macro_f1, "micro_f1": micro_f1, "accuracy": accuracy, "uar": uar}


def emotion_scores(confusion: np.ndarray, labels: list[str]) -> dict[str, Any]:
    """All figures of one confusion matrix.

    Args:
        confusion: (C, C), rows the reference.
        labels: the C class labels, in the model's order.

    Returns:
        `macro_f1`, `micro_f1`, `accuracy`, `uar` (fractions of 1) and
        `per_class` {label: {`precision`, `recall`, `f1`, `support`}}.

    Raises:
        ValueError: when the matrix does not have a row and a column per label.
    """
    confusion = np.asarray(confusion)
    if confusion.shape != (len(labels), len(labels)):
        raise ValueError(f"confusion matrix {confusion.shape} for {len(labels)} labels")
    columns = zip(
        labels,
        precision(confusion).tolist(),
        recall(confusion).tolist(),
        f1(confusion).tolist(),
        support(confusion).tolist(),
        strict=True,
    )
    per_class = {
        label: {"precision": p, "recall": r, "f1": f, "support": int(n)}
        for label, p, r, f, n in columns
    }
    return {**{name: float(of(confusion)) for name, of in METRICS.items()}, "per_class": per_class}


def majority_baseline(confusion: np.ndarray, labels: list[str]) -> dict[str, Any]:
    """Scores of always answering the most frequent reference class (the first of them in a tie).

    Args:
        confusion: (C, C), rows the reference; only its row sums matter.
        labels: the C class labels.

    Returns:
        `label`, `macro_f1`, `micro_f1`, `accuracy` and `uar`.
    """
    counts = support(np.asarray(confusion))
    majority = int(np.argmax(counts))
    constant = np.zeros_like(confusion)
    constant[:, majority] = counts
    return {"label": labels[majority], **{n: float(of(constant)) for n, of in METRICS.items()}}
