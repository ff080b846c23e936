"""Utterances by set and emotion."""

from __future__ import annotations

from pathlib import Path

from sermtl.data.datadir import write_column
from sermtl.data.splits import Run
from sermtl.scoring.label_counts import label_counts, label_files


def add(dump: Path, name: str, *labels: str) -> None:
    write_column(dump / name / "utt2emo", {f"{name}-{i}": label for i, label in enumerate(labels)})


def test_test_sets_are_apart_and_unlabelled_ones_left_out(tmp_path: Path) -> None:
    add(tmp_path, "a", "N", "H", "N")
    add(tmp_path, "b", "H", "<unk>")
    add(tmp_path, "c", "N")
    add(tmp_path, "d", "<unk>")
    run = Run(["a", "b"], ["c"], ["a", "c", "d"])
    assert label_counts(tmp_path, [run]) == {
        "training": {"N": 2, "H": 2},
        "validation": {"N": 1},
        "a": {"N": 2, "H": 1},
        "c": {"N": 1},
    }
    assert label_files(tmp_path, [run]) == [tmp_path / name / "utt2emo" for name in "abcd"]


def test_folds_are_averaged(tmp_path: Path) -> None:
    add(tmp_path, "a", "N", "N", "H")
    add(tmp_path, "b", "N", "H", "H", "H")
    folds = [Run(["a"], ["b"], ["a", "b"], "fold1"), Run(["b"], ["b"], ["a"], "fold2")]
    assert label_counts(tmp_path, folds) == {
        "training": {"N": 1.5, "H": 2},
        "validation": {"N": 1, "H": 3},
        "test": {"N": 2.5, "H": 2.5},
    }
