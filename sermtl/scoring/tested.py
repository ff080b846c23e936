"""An experiment's test sets: which answers are scored together, and among which classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sermtl.data.labels import LabelInventory
from sermtl.data.other_recipes import OtherRecipe
from sermtl.data.set_checks import compare_with_training, read_labels
from sermtl.data.splits import Run
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError
from sermtl.scoring.predictions import Predicted, read_predictions, read_training_texts
from sermtl.transcription.dumped_set import DumpedSet

POOLED = "test"
"""Title under which the folds' test utterances are scored together."""


@dataclass(frozen=True)
class Place:
    """Where one model's answers for one dumped set are, and the set's references."""

    title: str  # of the result that they are part of
    run: Run
    folder: Path
    dump: Path
    recipe: OtherRecipe | None = None  # where it isn't the model's own


@dataclass
class AnsweredSet:
    """Answers that are scored together."""

    parts: list[Predicted]
    closed: list[str]  # classes of the test corpus, where it is another recipe's
    shared: bool  # whether every model answered every utterance


def places(
    expdir: Path,
    dumpdir: Path,
    runs: Sequence[Run],
    recipes: Sequence[OtherRecipe],
    inference: str,
) -> list[Place]:
    """Every model's test sets, the recipe's own first.

    Args:
        expdir: ``exp/<tag>``.
        dumpdir: of the model's recipe.
        runs: the models.
        recipes: others, whose test sets all models answer.
        inference: name of the folder with a model's answers.

    Raises:
        UserError: if there are none, two results would have the same title, or another recipe is
            the model's own.
    """
    own = [
        Place(
            POOLED if run.name else name,
            run,
            expdir / run.name / inference / name,
            dumpdir / name,
        )
        for run in runs
        for name in run.test
    ]
    others = [
        Place(
            title,
            run,
            expdir / run.name / inference / recipe.name / name,
            recipe.dumpdir / name,
            recipe,
        )
        for recipe in recipes
        for title, sets in recipe.sets.items()
        for run in runs
        for name in sets
    ]
    if same := {p.title for p in own} & {p.title for p in others}:
        raise UserError(f"two test sets would be called {min(same)}: rename the recipe's own")
    for recipe in recipes:
        if recipe.dumpdir.resolve() == dumpdir.resolve():
            raise UserError(
                f"--test_recipes {recipe.name} is what the model learnt from: it is no other corpus"
            )
    if not own and not others:
        raise UserError("no test set is named: give --test_sets or --test_recipes")
    return own + others


def read_tested(
    parts: Sequence[Place],
    dumpdir: Path,
    inventory: LabelInventory | None = None,
    extra: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, AnsweredSet]:
    """The answers by title of the result, with references in the model's classes.

    Args:
        parts: from `places`.
        dumpdir: of the model's recipe, for the transcripts that it learnt from.
        inventory: of the model's recipe; ``None`` where each label is its own name.
        extra: further labels, ``extra[column][utterance]``.

    Raises:
        UserError: as `read_predictions`, and if another recipe has fewer than two of the model's
            classes.
    """
    train = {place.run.name: place.run.train for place in parts}
    forms = {run: _form(dumpdir, sets) for run, sets in train.items()}
    texts = {
        run: read_training_texts(dumpdir, sets, forms[run]) if sets else None
        for run, sets in train.items()
    }
    training = {run: read_labels(dumpdir, sets) if sets else None for run, sets in train.items()}
    sets: dict[str, AnsweredSet] = {}
    for place in parts:
        name = place.run.name
        part = read_predictions(
            place.folder, place.dump, extra or {}, name or place.title, texts[name], forms[name]
        )
        closed: list[str] = []
        if place.recipe:
            own = inventory or LabelInventory({label: label for label in part.classes})
            closed = _translate(part, place.recipe, own)
        elif learnt := training[name]:
            tested = {
                task: dict(zip(part.ids, part.references[task], strict=True)) for task in learnt
            }
            part.against_training = compare_with_training(tested, learnt)
        joined = sets.setdefault(place.title, AnsweredSet([], closed, place.recipe is not None))
        joined.parts.append(part)
    return sets


def _form(dumpdir: Path, train: Sequence[str]) -> str:
    """Of the texts that a model learnt: its answers, and their references, take that form."""
    forms = {DumpedSet(dumpdir / name).text_form() for name in train}
    return "english" if "english" in forms else "plain"


def _translate(part: Predicted, recipe: OtherRecipe, own: LabelInventory) -> list[str]:
    """Put references into the model's classes; what has none there goes by its name.

    Returns:
        The model's classes that the test corpus has, in the model's order.
    """
    theirs = recipe.inventory
    classes = {label: of for label, of in theirs.into(own).items() if of in part.classes}
    if theirs.classes and len(set(classes.values())) < 2:
        raise UserError(
            f"--test_recipes: fewer than two emotions of {recipe.name} "
            f"({', '.join(theirs.classes.values())}) are the model's "
            f"({', '.join(own.classes.values())}): classes of the same name in labels.yaml, in the "
            "same letters, are the same; the recipe custom has --label_map"
        )
    names = {label: classes.get(label, name) for label, name in theirs.classes.items()}
    for label, name in names.items():
        if label not in classes and name in part.classes:  # their N needn't be the model's N
            names[label] = f"{name} of {recipe.name}"
    part.references["emotion"] = [
        label if label == UNKNOWN else names.get(label, label)
        for label in part.references["emotion"]
    ]
    return [label for label in part.classes if label in classes.values()]
