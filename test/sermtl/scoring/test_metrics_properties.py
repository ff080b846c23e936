"""Scores of any labels and answers, against scikit-learn and plain loops."""

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st
from random_answers import predicted

from sermtl.scoring import metrics
from sermtl.scoring.calibration import expected_calibration_error, reliability
from sermtl.scoring.scores import set_scores

CLASSES = list("ABCDE")
ANSWERS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@given(ANSWERS)
def test_scikit_learn_agrees(answers):
    """Also where a class is in neither, or in one of them only."""
    told, said = map(list, zip(*answers, strict=True))
    every, present = list(range(5)), sorted(set(told))
    scores = metrics.emotion_scores(metrics.confusion_matrix(told, said, 5), CLASSES)
    options = {"zero_division": 0}
    expected = {
        "macro_f1": sk.f1_score(told, said, labels=present, average="macro", **options),
        "micro_f1": sk.f1_score(told, said, labels=every, average="micro", **options),
        "accuracy": sk.accuracy_score(told, said),
        "uar": sk.recall_score(told, said, labels=present, average="macro", **options),
    }
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    by_class = sk.precision_recall_fscore_support(told, said, labels=every, **options)
    for label, *values in zip(CLASSES, *by_class, strict=True):
        assert list(scores["per_class"][label].values()) == pytest.approx(values, abs=1e-12)


@given(ANSWERS)
def test_a_plain_loop_agrees(answers):
    recalls, f1s = [], []
    for c in {told for told, _ in answers}:
        hits = sum(told == said == c for told, said in answers)
        in_reference = sum(told == c for told, _ in answers)
        answered = sum(said == c for _, said in answers)
        recalls.append(hits / in_reference)
        f1s.append(2 * hits / (in_reference + answered))
    confusion = metrics.confusion_matrix(*zip(*answers, strict=True), 5)
    assert metrics.uar(confusion) == pytest.approx(sum(recalls) / len(recalls), abs=1e-12)
    assert metrics.macro_f1(confusion) == pytest.approx(sum(f1s) / len(f1s), abs=1e-12)


@given(ANSWERS, st.permutations(range(5)))
def test_the_order_of_classes_only_orders_their_scores(answers, order):
    told, said = (np.array(side) for side in zip(*answers, strict=True))
    place = np.argsort(order)
    as_is = metrics.emotion_scores(metrics.confusion_matrix(told, said, 5), CLASSES)
    confusion = metrics.confusion_matrix(place[told], place[said], 5)
    turned = metrics.emotion_scores(confusion, [CLASSES[k] for k in order])
    assert list(turned["per_class"]) == [CLASSES[k] for k in order]
    assert turned.pop("per_class") == as_is.pop("per_class")
    assert turned == pytest.approx(as_is, abs=1e-12)


@given(st.integers(1, 40), st.integers(0, 99), st.randoms())
def test_the_order_of_rows_and_the_names_of_speakers_change_nothing(n, seed, random):
    """Neither scores nor intervals, which draw at random; but for trials of speakers, drawn too."""
    part = predicted(n, seed, embeddings=None)
    order = random.sample(range(n), n)
    names = dict(zip(sorted(set(part.references["speaker"])), "zyxwvutsrqpo", strict=False))
    references = {kind: [column[k] for k in order] for kind, column in part.references.items()}
    references["speaker"] = [names[speaker] for speaker in references["speaker"]]
    other = predicted(
        n,
        seed,
        embeddings=None,
        ids=[part.ids[k] for k in order],
        probabilities=part.probabilities[order],
        references=references,
        answers={kind: [column[k] for k in order] for kind, column in part.answers.items()},
    )
    assert _rounded(set_scores([other])) == _rounded(set_scores([part]))


def _rounded(value):
    """Sums in another order differ in their last digits."""
    if isinstance(value, dict):
        return {key: _rounded(of) for key, of in value.items()}
    if isinstance(value, list):
        return [_rounded(of) for of in value]
    return round(value, 9) if isinstance(value, float) else value


# Confidences on the edges of bins, too.
CONFIDENCES = st.one_of(st.floats(0, 1), st.integers(0, 8).map(lambda k: k / 8))


@given(
    st.lists(st.tuples(CONFIDENCES, st.booleans()), min_size=1, max_size=60),
    st.one_of(st.sampled_from([2, 4, 8]), st.integers(1, 15)),
)
def test_calibration_is_that_of_a_plain_loop(answers, count):
    edges = np.linspace(0, 1, count + 1)
    expected, seen = 0.0, 0
    for k in range(count):
        inside = [
            (sure, right)
            for sure, right in answers
            if (edges[k] < sure or k == 0) and (sure <= edges[k + 1] or k == count - 1)
        ]
        seen += len(inside)
        if inside:
            gap = sum(sure for sure, _ in inside) - sum(right for _, right in inside)
            expected += abs(gap) / len(answers)
    assert seen == len(answers)
    bins = reliability(*map(np.array, zip(*answers, strict=True)), count)
    assert sum(bins["count"]) == len(answers)
    assert expected_calibration_error(bins) == pytest.approx(expected, abs=1e-9)
