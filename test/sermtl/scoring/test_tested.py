"""Which answers are scored together; other recipes' labels in the model's classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as sk

from sermtl.data.audio import audio_files
from sermtl.data.datadir import write_column
from sermtl.data.labels import LabelInventory
from sermtl.data.other_recipes import OtherRecipe
from sermtl.data.splits import Run
from sermtl.errors import UserError
from sermtl.files import atomic_write
from sermtl.inference import write_rows
from sermtl.scoring.scores import set_scores
from sermtl.scoring.tested import places, read_tested
from sermtl.stage import Stage
from sermtl.transcription.dumped_set import DumpedSet

OWN = LabelInventory({"A": "anger", "N": "neutral", "C": "contempt", "H": "happiness"})
THEIRS = LabelInventory(
    {"C": "calm", "angry": "anger", "bored": "boredom", "neu": "neutral"},
    elsewhere={"calm": "neutral"},
)


class Fixture:
    """Two models that answered the same set of another recipe, and each a set of its own."""

    def __init__(self, folder: Path) -> None:
        self.exp, self.dump, other = folder / "exp", folder / "dump", folder / "other" / "dump"
        rng = np.random.default_rng(0)
        self.labels = rng.choice(["C", "angry", "bored", "neu", "<unk>"], 60).tolist()
        self.recipe = OtherRecipe("them", other, {"them_test": ["test"]}, THEIRS)
        self.runs = [Run(["t"], ["t"], [f"own{k}"], name=f"fold{k}") for k in (1, 2)]
        self.set(other / "test", self.labels, [f"s{i % 11}" for i in range(60)])
        self.answers = {}
        self.set(self.dump / "t", ["A"] * 4, ["x"] * 4)
        for run in self.runs:
            self.set(self.dump / run.test[0], ["A", "H"], ["y", "z"], prefix=run.name)
            model = self.exp / run.name / "inference"
            self.answer(model, run.test[0], self.dump, 2, rng, prefix=run.name)
            self.answers[run.name] = self.answer(model / "them", "test", other, 60, rng)

    def set(self, dump: Path, emotions: list[str], speakers: list[str], prefix: str = "") -> None:
        for file, values in {
            "utt2emo": emotions,
            "utt2spk": speakers,
            "utt2gender": ["female"] * len(emotions),
            "text": ["one two"] * len(emotions),
        }.items():
            write_column(dump / file, {f"{prefix}u{i:02}": v for i, v in enumerate(values)})

    def answer(
        self,
        folder: Path,
        name: str,
        dump: Path,
        n: int,
        rng: np.random.Generator,
        prefix: str = "",
    ) -> np.ndarray:
        probabilities = rng.dirichlet(np.ones(4), n).round(6)
        rows = [
            {"id": f"{prefix}u{i:02}", "emotion": list(OWN.classes)[p.argmax()]}
            | {f"prob_{c}": f"{x:.6f}" for c, x in zip(OWN.classes, p, strict=True)}
            for i, p in enumerate(probabilities)
        ]
        with atomic_write(folder / name / "predictions.csv") as stream:
            write_rows(stream, rows, header=True)
        Stage(folder / name / "done.json", {}, audio_files(dump / name)).finish([])
        return probabilities


@pytest.fixture
def fixture(tmp_path: Path) -> Fixture:
    return Fixture(tmp_path)


def test_labels_meet_by_name(fixture: Fixture):
    found = places(fixture.exp, fixture.dump, fixture.runs, [fixture.recipe], "inference")
    assert [p.title for p in found] == ["test", "test", "them_test", "them_test"]
    sets = read_tested(found, fixture.dump, OWN)
    assert not sets["test"].closed and not sets["test"].shared
    them = sets["them_test"]
    assert them.closed == ["A", "N"] and them.shared  # in the model's order
    # Their C is calm, not the model's contempt; boredom has no class and goes by its name.
    expected = {"C": "N", "angry": "A", "bored": "boredom", "neu": "N", "<unk>": "<unk>"}
    for part in them.parts:
        assert part.references["emotion"] == [expected[label] for label in fixture.labels]


def test_what_training_had_is_known_of_own_sets(fixture: Fixture, monkeypatch):
    found = places(fixture.exp, fixture.dump, fixture.runs, [fixture.recipe], "inference")
    own, them = read_tested(found, fixture.dump, OWN).values()
    for part in (*own.parts, *them.parts):
        assert part.training_texts == {"one two"} and part.text_form == "plain"
    for part in own.parts:  # training was of A by x
        assert part.against_training == {"lacking": {"H": 1}}
    assert not any(part.against_training for part in them.parts)
    untold = [replace(place, run=replace(place.run, train=[])) for place in found]
    for part in read_tested(untold, fixture.dump, OWN)["test"].parts:
        assert part.training_texts is None and not part.against_training
    monkeypatch.setattr(DumpedSet, "text_form", lambda of: {"t": "english"}[of.name])
    for part in read_tested(found, fixture.dump, OWN)["test"].parts:
        assert part.text_form == "english" and part.training_texts == {"12"}


def test_own_sets_alone_are_enough(fixture: Fixture):
    found = places(fixture.exp, fixture.dump, fixture.runs, [], "inference")
    assert [p.title for p in found] == ["test", "test"]
    sets = read_tested(found, fixture.dump)
    assert sets["test"].closed == []


def test_closed_and_open_scores_over_all_models(fixture: Fixture):
    found = places(fixture.exp, fixture.dump, fixture.runs, [fixture.recipe], "inference")
    them = read_tested(found, fixture.dump, OWN)["them_test"]
    scores = set_scores(them.parts, them.closed, them.shared)
    kept = [i for i, label in enumerate(fixture.labels) if label in ("C", "angry", "neu")]
    reference = ["A" if fixture.labels[i] == "angry" else "N" for i in kept] * 2
    stacked = np.concatenate([p[kept] for p in fixture.answers.values()])  # columns A N C H
    closed = ["AN"[p[:2].argmax()] for p in stacked]
    opened = ["ANCH"[p.argmax()] for p in stacked]
    f1 = {"labels": ["A", "N"], "average": "macro"}
    assert scores["macro_f1"]["value"] == pytest.approx(sk.f1_score(reference, closed, **f1))
    expected = sk.f1_score(reference, opened, **f1)
    assert scores["open"]["macro_f1"]["value"] == pytest.approx(expected)
    assert scores["n"] == len(kept) and scores["models"] == 2
    assert scores["n_unlabelled"] == fixture.labels.count("<unk>")
    assert scores["outside"] == {"boredom": fixture.labels.count("bored")}
    assert set(scores["folds"]) == {"fold1", "fold2"}
    assert scores["folds"]["fold1"]["n"] == len(kept)
    assert scores["macro_f1"]["unit"] == "speakers"


def test_models_that_agree_are_no_more_certain_than_one(fixture: Fixture):
    """A second model with the same answers must not narrow the interval."""
    found = places(fixture.exp, fixture.dump, fixture.runs, [fixture.recipe], "inference")
    them = read_tested(found, fixture.dump, OWN)["them_test"]
    for part in them.parts:  # too few speakers known, so that utterances are drawn
        part.references["speaker"] = ["<unk>"] * len(part.ids)
    alone = set_scores(them.parts[:1], them.closed, shared=True)
    twice = [them.parts[0], them.parts[1]]
    twice[1].answers, twice[1].probabilities = twice[0].answers, twice[0].probabilities
    both = set_scores(twice, them.closed, shared=True)
    assert both["accuracy"]["unit"] == "utterances"
    assert both["accuracy"] == pytest.approx(alone["accuracy"], abs=0.01)


def test_nothing_in_common(fixture: Fixture):
    """Without an inventory labels are their own names, and the model's are called A N C H."""
    found = places(fixture.exp, fixture.dump, fixture.runs, [fixture.recipe], "inference")
    with pytest.raises(UserError, match=r"fewer than two .* of them \(calm, .*model's \(A, N"):
        read_tested(found, fixture.dump)


def test_a_name_that_happens_to_be_the_models_label(fixture: Fixture):
    """Their class named A, unknown to the model, isn't its A (anger)."""
    theirs = LabelInventory({"angry": "anger", "neu": "neutral", "bored": "A"})
    recipe = OtherRecipe("them", fixture.recipe.dumpdir, fixture.recipe.sets, theirs)
    found = places(fixture.exp, fixture.dump, fixture.runs, [recipe], "inference")
    them = read_tested(found, fixture.dump, OWN)["them_test"]
    scores = set_scores(them.parts, them.closed, them.shared)
    assert scores["n"] == sum(label in ("angry", "neu") for label in fixture.labels)
    assert scores["outside"]["A of them"] == fixture.labels.count("bored")


def test_a_models_own_recipe_is_no_other(fixture: Fixture):
    """Its folds' models would be tested on what they learnt from."""
    own = OtherRecipe("me", fixture.dump, {"me_test": ["t"]}, OWN)
    with pytest.raises(UserError, match="--test_recipes me is what the model learnt from"):
        places(fixture.exp, fixture.dump, fixture.runs, [own], "inference")


def test_titles_must_differ(fixture: Fixture):
    fixture.runs[:] = [Run([], [], ["them_test"])]
    with pytest.raises(UserError, match="two test sets would be called them_test"):
        places(fixture.exp, fixture.dump, fixture.runs, [fixture.recipe], "inference")
    with pytest.raises(UserError, match="no test set is named"):
        places(fixture.exp, fixture.dump, [Run([], [], [])], [], "inference")
