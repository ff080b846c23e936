"""What the paper's tables take of scores and answers."""

from __future__ import annotations

import pytest
from random_answers import predicted

from sermtl.scoring.ablation import ablation_figures
from sermtl.scoring.scores import set_scores
from sermtl.scoring.tested import AnsweredSet


def test_an_ablations_figures_and_its_difference_to_the_proposed_system() -> None:
    proposed, ablated = predicted(60), predicted(60)
    ablated.answers["emotion"] = proposed.answers["emotion"][::-1]
    ablated.answers["gender"] = proposed.answers["gender"][::-1]
    systems = [{"test": AnsweredSet([part], [], False)} for part in (proposed, ablated)]
    scores = [set_scores([part]) for part in (proposed, ablated)]
    first = ablation_figures({"test": scores[0]}, systems[0])["test"]
    second = ablation_figures({"test": scores[1]}, *systems)["test"]
    tests = second.pop("against_proposed")
    for shown, of in zip((first, second), scores, strict=True):
        assert shown.items() <= of.items()
        assert {"n", "labels", "majority", "macro_f1", "wer", "gender_accuracy"} <= shown.keys()
        assert not {"confusion", "per_class", "absent", "against_proposed", "open"} & shown.keys()
    for metric in ("macro_f1", "accuracy", "gender_accuracy"):
        difference = scores[1][metric]["value"] - scores[0][metric]["value"]
        assert tests[metric]["difference"]["value"] == pytest.approx(difference)


def test_figures_among_all_classes() -> None:
    part = predicted(60)
    scores = set_scores([part], closed_labels=["N", "H"])
    answers = {"test": AnsweredSet([part], ["N", "H"], False)}
    (shown,) = ablation_figures({"test": scores}, answers).values()
    assert shown["open"] == {key: scores["open"][key] for key in ("macro_f1", "accuracy")}


def test_what_has_no_labels_has_few_figures() -> None:
    part = predicted(60, embeddings=None)
    part.references |= {label: ["<unk>"] * 60 for label in part.references}
    (shown,) = ablation_figures(
        {"test3": set_scores([part])}, {"test3": AnsweredSet([part], [], False)}
    ).values()
    assert shown == {"n": 0, "n_unlabelled": 60}
