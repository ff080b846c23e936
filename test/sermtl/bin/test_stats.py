import json

import pytest

from sermtl.bin import stats
from sermtl.data.datadir import FILES, read_column, write_column, write_data_dir
from sermtl.data.splits import write_folds
from sermtl.data.utterance import Split
from sermtl.errors import UserError

SETS = {  # set: (id, emotion, gender, speaker, text, samples)
    "a": [
        ("s1-1", "sad", "male", "s1", "Don't, PLEASE!", 16001),
        ("s1-2", "happy", "male", "s1", "<unk>", 24000),
        ("s2-1", "sad", "female", "s2", "...", 8000),
    ],
    "b": [("s0-1", "<unk>", "<unk>", "<unk>", "yes", 16000)],
    "c": [
        ("s3-1", "happy", "female", "s3", "no", 3200),
        ("s3-2", "<unk>", "male", "s3", "no", 400),
    ],
}


@pytest.fixture
def folder(tmp_path):
    """Prepared sets a, b and c."""
    for name, rows in SETS.items():
        archive = tmp_path / "dump" / name / "wav.1.ark"
        archive.parent.mkdir(parents=True)
        archive.touch()
        columns = {file: {} for file in FILES}
        for utt_id, emotion, gender, speaker, text, samples in rows:
            values = (f"{archive}:9", emotion, gender, speaker, text, f"{samples / 16000:.3f}")
            for file, value in zip(FILES, values, strict=True):
                columns[file][utt_id] = value
        for top in ("data", "dump"):
            write_data_dir(tmp_path / top / name, columns)
        lengths = {row[0]: str(row[-1]) for row in rows}
        write_column(tmp_path / "dump" / name / "utt2num_samples", lengths)
    return tmp_path


def run(folder, *options):
    places = [f"--{name}dir={folder / name}" for name in ("dump", "data", "stats")]
    stats.main([*places, *options])


def test_sets_are_merged_and_counted(folder, capsys):
    run(folder, "--train_set", "a b", "--valid_set", "c")
    train = folder / "stats" / "train"
    columns = {file.name: read_column(file) for file in train.iterdir()}
    assert columns.keys() == {*FILES, "speech_shape"}
    ids = ["s0-1", "s1-1", "s1-2", "s2-1"]
    assert all(list(column) == ids for column in columns.values())
    assert list(columns["text"].values()) == ["yes", "don't please", "<unk>", "<unk>"]
    assert list(columns["speech_shape"].values()) == ["16000", "16001", "24000", "8000"]
    assert columns["wav.scp"]["s0-1"] == f"{folder}/dump/b/wav.1.ark:9"
    assert json.loads((folder / "stats" / "labels.json").read_text()) == {
        "emotions": ["happy", "sad"],
        "names": {"happy": "happy", "sad": "sad"},
        "genders": ["female", "male"],
        "speakers": ["s1", "s2"],
        "counts": {"emotion": {"happy": 1, "sad": 2}, "gender": {"female": 1, "male": 2}},
        "tasks": {"emotion": 3, "gender": 3, "speaker": 3, "asr": 2},
        "seconds": 4.0,
    }
    printed = capsys.readouterr().out.splitlines()
    table = [line.split() for line in printed if line.startswith("  ")]
    assert ["happy", "1", "1"] in table and ["sad", "2", "0"] in table
    assert ["<unk>", "1", "1"] in table and ["utterances", "4", "2"] in table


def test_a_damaged_duration_is_found(folder):
    write_column(folder / "dump" / "a" / "utt2dur", {"s1-1": "1", "s1-2": "x", "s2-1": "1"})
    with pytest.raises(UserError, match="dump/a/utt2dur"):
        run(folder, "--train_set", "a", "--valid_set", "c")


def test_labels_yaml_gives_classes_and_their_order(folder):
    (folder / "labels.yaml").write_text("classes: {sad: s, calm: c, happy: h}")
    run(folder, "--train_set", "a", "--valid_set", "c", f"--labels={folder / 'labels.yaml'}")
    labels = json.loads((folder / "stats" / "labels.json").read_text())
    assert labels["emotions"] == ["sad", "calm", "happy"]
    assert labels["counts"]["emotion"] == {"sad": 2, "calm": 0, "happy": 1}


def test_folds_get_folders(folder):
    write_folds(folder / "data", {"1": Split(["a"], ["c"], ["b"]), "2": Split(["a"], ["c"], ["a"])})
    run(folder, "--fold", "all")
    assert sorted(p.parent.name for p in folder.glob("stats/*/labels.json")) == ["fold1", "fold2"]


def test_tasks_that_cannot_be_learnt_are_off_and_said_so(folder, capsys):
    for file, value in (("utt2gender", "male"), ("utt2spk", "<unk>"), ("text", "<unk>")):
        write_column(folder / "dump" / "a" / file, dict.fromkeys([r[0] for r in SETS["a"]], value))
    (folder / "dump" / "a" / "spk2utt").unlink()
    run(folder, "--train_set", "a", "--valid_set", "c")
    tasks = json.loads((folder / "stats" / "labels.json").read_text())["tasks"]
    assert tasks == {"emotion": 3, "gender": 0, "speaker": 0, "asr": 0}
    printed = capsys.readouterr().out
    for note in ("gender: only 'male'", "speaker: no labels", "asr: no labels"):
        assert note in printed


@pytest.mark.parametrize(
    ("train", "valid", "labels", "message"),
    [
        ("b", "c", None, "no utterance of b has an emotion"),
        ("a", "b", None, "no utterance of b has an emotion label to select by"),
        ("c", "a", None, "all of c is 'happy'"),
        ("a", "c", "sad: s, calm: c", "s1-2 of a: emotion 'happy' is no class of labels.yaml"),
        ("a a", "c", None, "another of the sets"),
        ("", "c", None, "--train_set and --valid_set"),
        ("a", "", None, "--train_set and --valid_set"),
        ("a", "d", None, "no set 'd'.* a, b, c"),
    ],
)
def test_what_cannot_be_trained_on(folder, train, valid, labels, message):
    options = ["--train_set", train, "--valid_set", valid]
    if labels:
        (folder / "labels.yaml").write_text(f"classes: {{{labels}}}")
        options.append(f"--labels={folder / 'labels.yaml'}")
    with pytest.raises(UserError, match=message):
        run(folder, *options)
    assert not (folder / "stats" / "labels.json").exists()


def test_a_class_that_training_never_saw(folder):
    write_column(folder / "dump" / "c" / "utt2emo", {"s3-1": "bored", "s3-2": "sad"})
    with pytest.raises(UserError, match=r"s3-1 of c: emotion 'bored' is no class of the training"):
        run(folder, "--train_set", "a", "--valid_set", "c")


def test_again_only_what_changed(folder, capsys):
    options = ("--train_set", "a", "--valid_set", "c")
    run(folder, *options)
    capsys.readouterr()
    run(folder, *options)
    assert capsys.readouterr().out.startswith("a: done\n")
    write_column(folder / "dump" / "c" / "text", {"s3-1": "new", "s3-2": "no"})
    run(folder, *options)
    assert read_column(folder / "stats" / "valid" / "text")["s3-1"] == "new"
    capsys.readouterr()
    run(folder, *options, "--force", "true")
    assert "done" not in capsys.readouterr().out
