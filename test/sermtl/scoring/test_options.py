"""Which answers an experiment's options name, and how they are remembered beside its scores."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from experiment_folders import CLASSES, Experiment

from sermtl.errors import UserError
from sermtl.scoring.options import (
    add_evaluation_options,
    add_label_options,
    answers_of,
    inventory,
    places_of,
    remember,
    results_folder,
    scored_answers,
)


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    experiment = Experiment(tmp_path)
    for name in ("train", "test"):
        experiment.add_set(name, 12)
    experiment.add_predictions(experiment.exp, "test")
    return experiment


def options(experiment: Experiment, *more: str) -> argparse.Namespace:
    """As the stages read them."""
    parser = argparse.ArgumentParser()
    add_evaluation_options(parser)
    add_label_options(parser)
    folders = ["--expdir", experiment.exp, "--dumpdir", experiment.dump]
    folders += ["--datadir", experiment.data]
    return parser.parse_args([*map(str, folders), *more])


def answers(experiment: Experiment, *more: str):
    args = options(experiment, "--test_sets", "test", *more)
    return answers_of(args, places_of(args, args.expdir, "train"))


def test_folders_and_sets_become_places(experiment: Experiment, root: Path) -> None:
    args = options(experiment, "--test_sets", "test train", "--inference_tag", "long")
    first, second = places_of(args, args.expdir, "train")
    assert (first.title, second.title) == ("test", "train")
    assert first.folder == experiment.exp / "inference_long" / "test"
    assert first.dump == experiment.dump / "test"
    assert first.run.train == ["train"] and first.run.valid == []
    (place,) = places_of(options(experiment, "--test_sets", "test"), args.expdir, "train", "test")
    assert place.run.valid == ["test"] and place.folder == experiment.exp / "inference" / "test"
    with pytest.raises(UserError, match=r"no recipe 'nosuch'; there are .*ravdess"):
        places_of(
            options(experiment, "--test_recipes", "nosuch", "--recipes_dir", str(root / "egs")),
            args.expdir,
        )


def test_a_fold_is_chosen(experiment: Experiment) -> None:
    folds = {name: {"train": ["train"], "valid": [], "test": ["test"]} for name in ("1", "2")}
    (experiment.data / "folds.json").write_text(json.dumps(folds))
    (place,) = places_of(options(experiment, "--fold", "2"), experiment.exp)
    assert place.run.name == "fold2" and place.folder.parent.parent.name == "fold2"


def test_what_is_not_asked_for_is_empty(
    experiment: Experiment, capsys: pytest.CaptureFixture
) -> None:
    given = vars(options(experiment, "--labels", "labels.yaml"))
    assert given.pop("labels") == Path("labels.yaml")
    assert given.pop("recipes_dir") == Path("egs")
    folders = [given.pop(name) for name in ("expdir", "dumpdir", "datadir")]
    assert folders == [experiment.exp, experiment.dump, experiment.data]
    assert set(given.values()) == {""}
    with pytest.raises(SystemExit):  # it becomes a folder's name
        options(experiment, "--inference_tag", "../other")
    assert "'../other' has more than letters" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["--expdir", "--dumpdir", "--datadir"])
def test_folders_must_be_named(missing: str, capsys: pytest.CaptureFixture) -> None:
    parser = argparse.ArgumentParser()
    add_evaluation_options(parser)
    names = {"--expdir", "--dumpdir", "--datadir"} - {missing}
    with pytest.raises(SystemExit):
        parser.parse_args([word for name in names for word in (name, "x")])
    assert f"required: {missing}" in capsys.readouterr().err


def test_labels_are_the_recipes_own(experiment: Experiment, tmp_path: Path) -> None:
    assert inventory(options(experiment)) is None
    file = tmp_path / "labels.yaml"
    file.write_text("classes: {neutral: calm, happy: joy, sad: sorrow}\n")
    assert list(inventory(options(experiment, "--labels", str(file))).classes) == CLASSES


def test_extra_labels_take_the_sets_place(
    experiment: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "extra.csv"
    file.write_text("id,emotion\ntest-003,sad\ntest-004,happy\n")
    (part,) = answers(experiment, "--extra_labels", str(file))["test"].parts
    assert part.references["emotion"][3:5] == ["sad", "happy"]
    (own,) = answers(experiment)["test"].parts
    assert own.references["emotion"] == list(experiment.references["utt2emo"].values())[12:]
    assert capsys.readouterr().err == ""
    file.write_text("id,emotion\ntest-003,sad\nz,sad\ny,sad\n")
    answers(experiment, "--extra_labels", str(file))
    said = capsys.readouterr()
    assert f"{file}: 2 of 3 utterances are in no tested set, e.g. y\n" in said.err
    assert said.out == ""
    file.write_text("id,emotion,speaker\ntest-003,sad,\nz,,ann\n")
    with pytest.raises(UserError, match=f"^{file}: column 'speaker' has no label of any tested"):
        answers(experiment, "--extra_labels", str(file))


@pytest.mark.parametrize(
    ("more", "folder"),
    [
        ([], ""),
        (["--fold", "all"], ""),
        (["--fold", "2"], "fold2"),
        (["--inference_tag", "long"], "inference_long"),
        (["--fold", "2", "--inference_tag", "long"], "fold2/inference_long"),
    ],
)
def test_scores_of_a_part_have_a_folder_of_their_own(
    experiment: Experiment, more: list[str], folder: str
) -> None:
    args = options(experiment, *more)
    assert results_folder(args, args.expdir) == experiment.exp / folder


def test_what_was_scored_is_found_again_from_anywhere(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = tmp_path / "extra é.csv"
    extra.write_text("id,emotion\ntest-003,sad\n")
    labels = tmp_path / "labels.yaml"
    labels.write_text("classes: {neutral: calm, happy: joy, sad: sorrow}\n")
    monkeypatch.chdir(tmp_path)
    chosen = ["--test_sets", "test", "--train_set", "train", "--extra_labels", extra.name]
    args = options(experiment, *chosen, "--labels", "labels.yaml")
    args.dumpdir, args.datadir = Path("dump"), Path("data")
    path = remember(args)
    assert path.parent == experiment.exp and "é" in path.read_text(encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    expected = answers(experiment, "--train_set", "train", "--extra_labels", str(extra))
    found = scored_answers(experiment.exp)
    assert found.keys() == expected.keys() == {"test"}
    (part,), (other,) = found["test"].parts, expected["test"].parts
    assert (part.ids, part.references) == (other.ids, other.references)
    assert part.training_texts == other.training_texts == {"one two", "three four five"}
    labels.write_text("classes: {happy: joy}\n")
    with pytest.raises(UserError, match="two or more"):
        scored_answers(experiment.exp)


def test_what_was_not_scored_is_told(experiment: Experiment) -> None:
    place = experiment.exp / "scored_with.json"
    with pytest.raises(UserError, match=f"^{place} is missing: score it .stage 7. first"):
        scored_answers(experiment.exp)
    place.write_text("{")
    with pytest.raises(UserError, match=r"scored_with\.json:1: no JSON .*: score it .* again"):
        scored_answers(experiment.exp)
