"""Every score equals scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk

from sermtl.scoring import metrics

LABELS = list("AHSFUC")


def draw(seed: int, classes: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Random labels and predictions, the last ``6 - classes`` classes absent from the labels."""
    rng = np.random.default_rng(seed)
    reference = rng.integers(0, classes, n)
    guess = rng.integers(0, len(LABELS) - 1, n)  # the last class is never predicted
    return reference, np.where(rng.random(n) < 0.4, reference, guess)


@pytest.mark.parametrize("classes", [6, 5, 4, 2, 1])
@pytest.mark.parametrize("n", [200, 7])
@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_learn(seed: int, n: int, classes: int) -> None:
    reference, hypothesis = draw(seed, classes, n)
    every, present = list(range(6)), sorted(set(reference))
    confusion = metrics.confusion_matrix(reference, hypothesis, 6)
    assert (confusion == sk.confusion_matrix(reference, hypothesis, labels=every)).all()
    scores = metrics.emotion_scores(confusion, LABELS)
    f1 = {
        average: sk.f1_score(reference, hypothesis, labels=labels, average=average, zero_division=0)
        for average, labels in (("macro", present), ("micro", every))
    }
    assert scores["macro_f1"] == pytest.approx(f1["macro"], abs=1e-12)
    assert scores["micro_f1"] == pytest.approx(f1["micro"], abs=1e-12)
    assert scores["accuracy"] == pytest.approx(sk.accuracy_score(reference, hypothesis), abs=1e-12)
    recall = sk.recall_score(reference, hypothesis, labels=present, average="macro")
    assert scores["uar"] == pytest.approx(recall, abs=1e-12)
    columns = sk.precision_recall_fscore_support(
        reference, hypothesis, labels=every, zero_division=0
    )
    for i, label in enumerate(LABELS):
        names = ("precision", "recall", "f1", "support")
        expected = {name: column[i] for name, column in zip(names, columns, strict=True)}
        assert scores["per_class"][label] == pytest.approx(expected, abs=1e-12)


def test_stacked_matrices_give_stacked_scores() -> None:
    stack = np.stack([metrics.confusion_matrix(*draw(seed, 6 - seed), 6) for seed in range(4)])
    for metric in metrics.METRICS.values():
        assert metric(stack).tolist() == [metric(one).item() for one in stack]


def test_majority_baseline_is_the_constant_answer() -> None:
    reference, hypothesis = draw(0, 4)
    baseline = metrics.majority_baseline(metrics.confusion_matrix(reference, hypothesis, 6), LABELS)
    majority = int(np.argmax(np.bincount(reference)))
    constant = np.full_like(reference, majority)
    expected = metrics.emotion_scores(metrics.confusion_matrix(reference, constant, 6), LABELS)
    assert baseline == {"label": LABELS[majority], **{k: expected[k] for k in metrics.METRICS}}


def test_nothing_to_score_is_zero_without_warnings() -> None:
    odd = np.full((50, 64), 7.0)  # what memory may hold
    del odd
    assert not metrics.precision(np.zeros((50, 64, 64))).any()
    assert metrics.macro_f1(metrics.confusion_matrix([], [], 3)) == 0


@pytest.mark.parametrize(
    ("reference", "hypothesis", "message"),
    [
        ([0, 1], [0], "2 references but 1"),
        ([0, 3], [0, 1], r"reference indices must lie in 0\.\.2$"),
        ([0], [-1], "hypothesis"),
    ],
)
def test_refuses_what_is_no_classification(reference: list, hypothesis: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.confusion_matrix(reference, hypothesis, 3)


def test_refuses_labels_of_another_number() -> None:
    with pytest.raises(ValueError, match="2 labels"):
        metrics.emotion_scores(np.eye(3), ["a", "b"])
