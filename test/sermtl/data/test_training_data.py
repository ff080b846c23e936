"""What stage 4 left is looked at before training; more faults of it: test/faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sermtl.data.datadir import FILES, read_column, write_column
from sermtl.data.training_data import check_training_data, read_label_statistics
from sermtl.errors import UserError
from sermtl.stage import Stage

LABELS = {
    "emotions": ["joy", "sad"],
    "genders": ["male"],
    "speakers": ["ann"],
    "counts": {},
    "tasks": {},
}
LABELLED = {"utt2emo": "sad", "utt2gender": "male", "utt2spk": "ann", "text": "oh no"}


@pytest.fixture
def stats(tmp_path: Path) -> Path:
    """Stage 4's folder, made from the set ``tmp_path/dump``."""
    inputs = [tmp_path / "dump" / name for name in (*FILES, "utt2num_samples")]
    for file in inputs:
        write_column(file, {"u1": "x"})
    folder = tmp_path / "stats"
    for part in ("train", "valid"):
        for file, label in {"wav.scp": "1.ark:3", **LABELLED, "speech_shape": "400"}.items():
            write_column(folder / part / file, {"u1": label, "u2": label})
    # Unknown labels are none of the classes, and validation may have others' voices.
    write_column(folder / "train" / "utt2gender", {"u1": "<unk>", "u2": "male"})
    write_column(folder / "valid" / "utt2spk", {"u1": "eve", "u2": "eve"})
    (folder / "labels.json").write_text(json.dumps(LABELS))
    Stage(folder / "done.json", {}, inputs).finish([])
    return folder


def test_what_stage_4_leaves_is_taken(stats: Path) -> None:
    check_training_data(stats, [stats.parent / "dump"])
    assert read_label_statistics(stats / "labels.json") == LABELS


@pytest.mark.parametrize("part", ["train", "valid"])
@pytest.mark.parametrize("file", ["wav.scp", *LABELLED, "speech_shape"])
def test_files_that_are_missing_or_short_are_named(stats: Path, part: str, file: str) -> None:
    column = read_column(stats / part / file)
    write_column(stats / part / file, {"u1": column["u1"]})
    place = f"{stats}/{part}/" + ("utt2emo:2: u2" if file == "wav.scp" else "wav.scp:2: u2")
    with pytest.raises(UserError, match=f"^{place} is"):
        check_training_data(stats, [])
    (stats / part / file).unlink()
    with pytest.raises(UserError, match=f"^{stats}/{part}/{file} is missing: run stage 4 again"):
        check_training_data(stats, [])


@pytest.mark.parametrize(
    ("file", "classes"),
    [
        ("train/utt2emo", "joy, sad"),
        ("train/utt2gender", "male"),
        ("train/utt2spk", "ann"),
        ("valid/utt2emo", "joy, sad"),
    ],
)
def test_labels_that_are_no_class_are_named(stats: Path, file: str, classes: str) -> None:
    write_column(stats / file, read_column(stats / file) | {"u2": "odd"})
    message = f"^{stats}/{file}:2: u2 is 'odd', which is none of {classes}: run stage 4 again"
    with pytest.raises(UserError, match=message):
        check_training_data(stats, [])


def test_sets_that_changed_since_are_told(stats: Path) -> None:
    for file in (*FILES, "utt2num_samples"):
        path = stats.parent / "dump" / file
        before = path.read_bytes()
        write_column(path, {"u1": "y"})
        with pytest.raises(UserError, match=f"wasn't made from {path} as it is now"):
            check_training_data(stats, [stats.parent / "dump"])
        path.write_bytes(before)


@pytest.mark.parametrize("key", ["emotions", "speakers", "counts", "tasks"])
def test_damaged_statistics_are_named(stats: Path, key: str) -> None:
    for damaged in ({**LABELS, key: "text"}, {k: v for k, v in LABELS.items() if k != key}):
        (stats / "labels.json").write_text(json.dumps(damaged))
        with pytest.raises(
            UserError, match=rf"labels\.json: damaged, it has no {key}: run stage 4"
        ):
            read_label_statistics(stats / "labels.json")
    (stats / "labels.json").write_text("[]")
    with pytest.raises(UserError, match="it has no emotions"):
        read_label_statistics(stats / "labels.json")
    (stats / "labels.json").write_text("{")
    with pytest.raises(UserError, match=r"no JSON .*: run stage 4 again"):
        check_training_data(stats, [])
