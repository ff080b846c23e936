"""What stage 4 counts, on hand-made columns. Whole sets, through the stage: test/sermtl/bin."""

from __future__ import annotations

import pytest

from sermtl.data.splits import Run
from sermtl.data.statistics import inventories, label_statistics, notes_on_tasks, table
from sermtl.errors import UserError

RUN = Run(["t1", "t2"], ["v1", "v2"], [])
FILES = ("utt2emo", "utt2gender", "utt2spk", "text", "utt2dur")


def columns(*rows: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Utterances u0, u1, … with emotion, gender, speaker, text and seconds each."""
    return {file: {f"u{i}": row[k] for i, row in enumerate(rows)} for k, file in enumerate(FILES)}


TRAIN = columns(
    ("sad", "male", "s2", "a b", "1.0004"),
    ("happy", "female", "s1", "<unk>", "2.0004"),
    ("sad", "<unk>", "<unk>", "c", "360000"),
    ("<unk>", "female", "s1", "d", "36"),
)
VALID = columns(("happy", "male", "s9", "e", "72"))


def test_labels_are_counted_in_order() -> None:
    assert label_statistics(RUN, TRAIN, VALID, None) == {
        "emotions": ["happy", "sad"],
        "names": {"happy": "happy", "sad": "sad"},
        "genders": ["female", "male"],
        "speakers": ["s1", "s2"],
        "counts": {"emotion": {"happy": 1, "sad": 2}, "gender": {"female": 2, "male": 1}},
        "tasks": {"emotion": 3, "gender": 3, "speaker": 3, "asr": 3},
        "seconds": 360039.001,
    }
    classes = {"sad": "sadness", "calm": "calmness", "happy": "happiness"}
    labels = label_statistics(RUN, TRAIN, VALID, classes)
    assert labels["names"] == classes and labels["emotions"] == ["sad", "calm", "happy"]
    assert list(labels["counts"]["emotion"].items()) == [("sad", 2), ("calm", 0), ("happy", 1)]


@pytest.mark.parametrize(
    ("train", "valid", "classes", "message"),
    [
        ([("<unk>",)], [("sad",)], None, "no utterance of t1 t2 has an emotion label: nothing to"),
        ([("sad",), ("sad",)], [("sad",)], None, "all of t1 t2 is 'sad': nothing to tell apart"),
        ([("sad",), ("joy",)], [("<unk>",)], None, "no utterance of v1 v2 has an emotion label to"),
        (
            [("sad",), ("joy",)],
            [("sad",), ("fear",)],
            None,
            r"u1 of v1 v2: emotion 'fear' is no class of the training set \(t1 t2\), "
            "which has joy, sad",
        ),
        (
            [("sad",), ("joy",)],
            [("sad",)],
            {"sad": "s", "calm": "c"},
            "u1 of t1 t2: emotion 'joy' is no class of labels.yaml, which has sad, calm",
        ),
    ],
)
def test_what_cannot_be_learnt_is_said(train, valid, classes, message: str) -> None:
    rest = ("<unk>", "<unk>", "<unk>", "1")
    parts = [columns(*(row + rest for row in rows)) for rows in (train, valid)]
    with pytest.raises(UserError, match=f"^{message}"):
        label_statistics(RUN, *parts, classes)


def test_tasks_without_a_choice_are_off() -> None:
    rows = [("sad", "male", "s1", "<unk>", "1"), ("joy", "male", "s1", "<unk>", "1")]
    classes = {"sad": "sadness", "joy": "joy", "fear": "fear"}
    labels = label_statistics(RUN, columns(*rows), VALID | {"utt2emo": {"u0": "joy"}}, classes)
    assert notes_on_tasks(labels) == [
        "emotion: no utterance of 'fear' to learn from",
        "gender: only 'male', the task is off",
        "speaker: only 's1', the task is off",
        "asr: no labels, the task is off",
    ]
    assert labels["tasks"] == {"emotion": 2, "gender": 0, "speaker": 0, "asr": 0}
    labels = label_statistics(RUN, TRAIN, VALID, None)
    tasks = dict(labels["tasks"])
    assert notes_on_tasks(labels) == ["gender: female 2, male 1"]
    assert labels["tasks"] == tasks


def test_a_task_younger_than_the_statistics_has_no_classes() -> None:
    found = inventories({"emotions": ["a", "b"], "speakers": ["s"]})
    assert found == {"emotion": ["a", "b"], "gender": [], "speaker": ["s"]}


def test_the_table() -> None:
    assert table(TRAIN, VALID, emotions=["happy", "sad"]).splitlines() == [
        "  emotion      train   valid",
        "  happy            1       1",
        "  sad              2       0",
        "  <unk>            1       0",
        "  utterances       4       1",
        "  hours       100.01    0.02",
    ]
    assert "<unk>" not in table(VALID, VALID, emotions=["happy"])
