"""Paired comparison: against the intervals' own test on hand-made counts."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import sklearn.metrics as sk
from random_answers import CLASSES, predicted

from sermtl.errors import UserError
from sermtl.scoring.comparison import compare
from sermtl.scoring.scores import set_scores
from sermtl.scoring.tested import AnsweredSet


def systems(**changes: object) -> tuple[AnsweredSet, AnsweredSet]:
    """Two systems, of which the second answers otherwise in a part of the set."""
    first, second = predicted(), predicted()
    second.answers = copy.deepcopy(second.answers)
    second.probabilities = second.probabilities.copy()
    for i in range(0, 120, 3):
        second.probabilities[i] = np.eye(4)[CLASSES.index("N")]
        second.answers["emotion"][i] = "N"
        second.answers["transcript"][i] = "a b c"
        second.answers["gender"][i] = "female"
    return AnsweredSet([first], [], False), AnsweredSet([second], [], False)


def test_differences_are_those_of_the_scores():
    first, second = systems()
    found = compare(first, second)
    one, other = set_scores(first.parts), set_scores(second.parts)
    assert set(found) == {"macro_f1", "accuracy", "uar", "gender_accuracy", "wer"}
    for name, test in found.items():
        difference = other[name]["value"] - one[name]["value"]
        assert test["difference"]["value"] == pytest.approx(difference)
        assert test["difference"]["low"] <= difference <= test["difference"]["high"]
        assert 0 < test["p"] <= 1
    mask = [r != "<unk>" for r in first.parts[0].references["emotion"]]
    reference = [r for r in first.parts[0].references["emotion"] if r != "<unk>"]
    f1 = [
        sk.f1_score(
            reference,
            [a for a, m in zip(t.parts[0].answers["emotion"], mask, strict=True) if m],
            labels=CLASSES[:3],
            average="macro",
        )
        for t in (first, second)
    ]
    assert found["macro_f1"]["difference"]["value"] == pytest.approx(f1[1] - f1[0])


def test_a_system_does_not_differ_from_itself():
    first, _ = systems()
    for test in compare(first, first).values():
        assert test["difference"]["value"] == 0
        assert test["p"] == 1


def test_a_perfect_system_differs():
    first, second = systems()
    truth = second.parts[0].references["emotion"]
    second.parts[0].answers["emotion"] = [CLASSES[0] if t == "<unk>" else t for t in truth]
    assert compare(first, second)["accuracy"]["p"] < 0.001


def test_tasks_that_one_lacks_are_left_out():
    first, second = systems()
    del second.parts[0].answers["transcript"]
    assert set(compare(first, second)) == {"macro_f1", "accuracy", "uar", "gender_accuracy"}


@pytest.mark.parametrize("change", ["ids", "classes", "references"])
def test_only_on_the_same_utterances(change: str):
    first, second = systems()
    part = second.parts[0]
    if change == "references":
        part.references = {**part.references, "emotion": part.references["emotion"][::-1]}
    else:
        setattr(part, change, getattr(part, change)[::-1])
    with pytest.raises(UserError, match="not tested on the same utterances"):
        compare(first, second)
