"""Whole pages, in which all that can be said is said."""

from __future__ import annotations

from pathlib import Path

from sermtl.scoring.tables import results_md, summary

PAGES = Path(__file__).parent / "pages"


def figure(value: float, unit: str = "speakers") -> dict[str, object]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "unit": unit}


EVERYTHING = {
    "n": 10,
    "n_unlabelled": 2,
    "n_unreadable": 1,
    "outside": {"X": 3, "Y": 4},
    "models": 2,
    "macro_f1": figure(0.1),
    "micro_f1": figure(0.2),
    "accuracy": figure(0.2),
    "uar": figure(0.3),
    "ece": {"value": 0.123},
    "reliability": {"count": [4, 6]},
    "gender_accuracy": figure(0.4, "utterances"),
    "gender_uar": figure(0.5, "utterances"),
    "gender_n": 9,
    "wer": figure(0.6),
    "wer_n": 8,
    "wer_reference": "corpus+extra+whisper",
    "wer_form": "english",
    "wer_unseen": figure(0.7),
    "wer_unseen_n": 7,
    "cer": figure(0.8),
    "speaker_eer": {
        **figure(0.9),
        "trials": {"same": 5, "different": 6},
        "without": {"fold2": "0 known speakers"},
    },
    "open": {"macro_f1": figure(0.05), "accuracy": figure(0.15)},
    "labels": ["A", "N"],
    "per_class": {
        "A": {"precision": 0.5, "recall": 0.25, "f1": figure(0.35), "support": 4},
        "N": {"precision": 0.5, "recall": 0.0, "f1": {"value": 0.0}, "support": 0},
    },
    "majority": {"label": "A", "macro_f1": 0.11, "uar": 0.5},
    "folds": {"fold1": {"n": 4, "macro_f1": 0.12, "uar": 0.13}, "fold2": {"n": 0}},
    "against_training": {"utterances": 1},
}
NOTHING = {"n": 0, "n_unlabelled": 3, "absent": {"emotion": "no label", "wer_unseen": "not named"}}
TESTED = {"test": EVERYTHING, "none": NOTHING}
EVERY_FACT = {
    "commands": ["./run.sh", "./run.sh --stage 6"],
    "commit": "abc",
    "versions": {"sermtl": "1", "torch": "2"},
    "confs": ["exp/x/conf.yaml", "y.yaml"],
    "parameters": {"total": 1234567, "encoder": 1200000},
    "trained_with": "torch 1, 2",
}
PLOTS = {"test": [("Confusion", "c"), ("Bins", "b")], "": [("Losses", "l")]}


def test_the_page() -> None:
    page = results_md("tag", TESTED, EVERY_FACT, PLOTS)
    assert page.splitlines() == (PAGES / "RESULTS.txt").read_text().splitlines()
    assert page.endswith(")\n")


def test_the_consoles_summary() -> None:
    assert summary(TESTED).splitlines() == (PAGES / "summary.txt").read_text().splitlines()


def test_a_page_without_closed_classes_and_models() -> None:
    scores = {key: EVERYTHING[key] for key in EVERYTHING.keys() - {"open", "models", "gender_uar"}}
    scores |= {"gender_accuracy": figure(0.4), "wer_form": "plain"}
    scores["speaker_eer"] = figure(0.9) | {"trials": {"same": 5, "different": 6}}
    page = results_md("tag", {"test": scores}, EVERY_FACT, PLOTS)
    assert "\n|  | % |\n| --- | ---: |\n| macro-F1 | 10.0 [9.0, 11.0] |\n" in page
    assert "\nIntervals: bootstrap over speakers.\n" in page
    assert "and Whisper's transcripts.\n" in page and "no speaker pairs" not in page
    assert "\n| class | precision | recall | F1 | utterances |\n" in page
    told = "Scores are of the pooled predictions, each by the fold that did not train on it."
    assert f"\n\n{told}\n\n| fold | n |" in page


def test_a_set_without_emotions_has_its_other_figures() -> None:
    scores = {**NOTHING, "gender_accuracy": figure(0.4)}
    page = results_md("tag", {"test": scores}, EVERY_FACT, {})
    assert "3 without.\n\n|  | % |\n| --- | ---: |\n| gender accuracy | 40.0 [39.0, 41.0] |" in page
