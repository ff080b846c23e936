"""What a set shares with training, on hand-made labels; through the stages: test/sermtl/bin."""

from __future__ import annotations

import os
from pathlib import Path

from sermtl.data.datadir import write_column
from sermtl.data.set_checks import (
    compare_with_training,
    edited_apart,
    pooled,
    read_labels,
    remarks,
)

TASKS = ("emotion", "gender", "speaker")


def labels(**rows: tuple[str, str, str]) -> dict[str, dict[str, str]]:
    """Emotion, gender and speaker of each utterance."""
    return {task: {u: row[k] for u, row in rows.items()} for k, task in enumerate(TASKS)}


TRAINING = labels(t1=("sad", "male", "ann"), t2=("joy", "<unk>", "bob"))


def test_what_is_as_it_should_be_is_not_told() -> None:
    tested = labels(
        u1=("joy", "male", "cat"), u2=("sad", "<unk>", "<unk>"), u3=("<unk>", "male", "cat")
    )
    assert compare_with_training(tested, TRAINING) == {}
    assert remarks({}) == []
    assert compare_with_training(labels(u1=("joy", "male", "cat")), TRAINING) == {"only": "joy"}


def test_what_is_shared_and_lacking_is_counted() -> None:
    tested = labels(
        t1=("fear", "female", "ann"),
        u2=("fear", "female", "ann"),
        u3=("fear", "male", "cat"),
        u4=("<unk>", "<unk>", "<unk>"),
    )
    found = compare_with_training(tested, TRAINING)
    assert found == {
        "utterances": 1,
        "speakers": {"known": 1, "of": 2, "utterances": 2},
        "lacking": {"fear": 3, "female": 2},
        "only": "fear",
    }
    same, speakers, fear, female, only = remarks(found)
    assert same.startswith("1 utterances were in training")
    assert speakers.startswith("1 of 2 speakers (2 utterances) were in training")
    assert fear.startswith("training has no 'fear' (3 utterances")
    assert female.startswith("training has no 'female' (2 utterances")
    assert only.startswith("every emotion is 'fear'")


def test_folds_findings_are_added_up() -> None:
    first = {"utterances": 1, "only": "joy", "lacking": {"fear": 3, "awe": 1}}
    second = {"utterances": 4, "lacking": {"fear": 2}}
    third = {"speakers": {"known": 1, "of": 2, "utterances": 5}}
    assert pooled([first, second, third, third]) == {
        "utterances": 5,
        "lacking": {"fear": 5, "awe": 1},
        "speakers": {"known": 2, "of": 4, "utterances": 10},
    }
    assert pooled([{"only": "joy"}, {}]) == {}


def test_labels_of_several_sets_are_read_as_one(tmp_path: Path) -> None:
    for name, utt_id in (("one", "a"), ("two", "b")):
        for file in ("utt2emo", "utt2gender", "utt2spk"):
            write_column(tmp_path / name / file, {utt_id: f"{file} of {name}"})
    found = read_labels(tmp_path, ["one", "two"])
    assert found["speaker"] == {"a": "utt2spk of one", "b": "utt2spk of two"}
    assert found.keys() == set(TASKS)


def test_label_files_that_were_edited_apart(tmp_path: Path) -> None:
    data, dump = tmp_path / "data" / "dev", tmp_path / "dump" / "dev"
    for folder in (data, dump):
        for file in ("utt2emo", "utt2spk"):
            write_column(folder / file, {"a": "x", "b": "y", "c": "z", "d": "x"})
    assert edited_apart(data, dump) == []
    time = (dump / "utt2emo").stat().st_mtime_ns
    write_column(data / "utt2emo", {"a": "x", "b": "z", "c": "z", "d": "y"})  # as large as before
    os.utime(data / "utt2emo", ns=(time, time))
    (said,) = edited_apart(data, dump)
    assert said.startswith(f"{dump}/utt2emo:2: 2 lines differ from {data}/utt2emo; ")
    assert said.endswith("of dump are read")
