"""What people read of the scores."""

from __future__ import annotations

from sermtl.scoring.tables import results_md, summary

FIGURE = {"value": 0.4321, "low": 0.4, "high": 0.5, "unit": "speakers"}
SCORES = {
    "n": 10,
    "n_unlabelled": 2,
    "macro_f1": FIGURE,
    "majority": {"label": "N", "macro_f1": 0.1},
    "per_class": {"a|b": {"precision": 0.5, "recall": 0.25, "f1": FIGURE, "support": 4}},
    "ece": {"value": 0.123},
    "reliability": {"count": [4, 6]},
    "labels": ["a|b"],
}
FACTS = {
    "commands": ["./run.sh"],
    "commit": "unknown",
    "trained_with": "",
    "versions": {"sermtl": "1"},
    "confs": ["exp/x/conf.yaml"],
    "parameters": None,
}


def test_figures_have_intervals_and_tables_survive_odd_labels() -> None:
    page = results_md("x", {"test": SCORES}, FACTS, {"test": [("Picture", "p")]})
    assert "| macro-F1 | 43.2 [40.0, 50.0] |" in page
    assert "| a\\|b | 50.0 | 25.0 | 43.2 [40.0, 50.0] | 4 |" in page
    assert "| ECE | 12.3 |" in page and "ECE over 2 bins of equal width" in page
    assert "**Picture** ([PDF](p.pdf))\n\n![Picture](p.png)" in page and "Commit: unknown" in page
    assert "Parameters" not in page and "WER" not in page


def test_a_class_without_utterances_has_no_recall() -> None:
    values = {"precision": 0.0, "recall": 0.0, "f1": {"value": 0.0}, "support": 0}
    page = results_md("x", {"test": {**SCORES, "per_class": {"b": values}}}, FACTS, {})
    assert "| b | 0.0 | – | – | 0 |" in page


def test_open_scores_stand_beside_closed_ones() -> None:
    scores = {**SCORES, "open": {"macro_f1": {**FIGURE, "value": 0.2}}}
    page = results_md("x", {"test": scores}, FACTS, {})
    assert "| macro-F1 | 43.2 [40.0, 50.0] | 20.0 [40.0, 50.0] |" in page
    assert "all classes: 20.0 [40.0, 50.0]" in summary({"test": scores})


def test_a_set_without_labels_says_so() -> None:
    scores = {"n": 0, "n_unlabelled": 3, "absent": {"emotion": "no utterance has a label"}}
    page = results_md("x", {"test": scores}, FACTS, {})
    assert "No emotion: no utterance has a label." in page
    assert "no emotion: no utterance has a label" in summary({"test": scores})


def test_intervals_of_different_units_are_told_apart() -> None:
    scores = {**SCORES, "gender_accuracy": {**FIGURE, "unit": "utterances"}}
    text = summary({"test": scores})
    assert "bootstrap over speakers (macro-F1)" in text
    assert "bootstrap over utterances (gender accuracy)" in text
