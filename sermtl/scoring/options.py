"""Options that name an experiment's models and test sets: of stages 6 and 7, and ablations."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sermtl.data.labels import LabelInventory, load_labels
from sermtl.data.other_recipes import find_recipes
from sermtl.data.splits import resolve_splits
from sermtl.documents import read_json
from sermtl.errors import UserError
from sermtl.files import atomic_write
from sermtl.inference import folder_name
from sermtl.options import name_part
from sermtl.scoring.predictions import read_extra_labels
from sermtl.scoring.tested import AnsweredSet, Place, places, read_tested

SCORED_WITH = "scored_with.json"  # beside the results, the options that stage 7 had
PATHS = ("dumpdir", "datadir", "recipes_dir", "labels", "extra_labels")
OTHERS = ("test_sets", "test_recipes", "fold", "inference_tag", "train_set")


def add_evaluation_options(parser: argparse.ArgumentParser) -> None:
    """Which models answer which sets."""
    add = parser.add_argument
    add("--expdir", type=Path, required=True, help="exp/<tag>")
    add("--dumpdir", type=Path, required=True)
    add("--datadir", type=Path, required=True)
    add("--test_sets", default="", help="unless the recipe has folds")
    add("--test_recipes", default="", help="others, whose test sets are added")
    add("--recipes_dir", type=Path, default=Path("egs"))
    add("--fold", default="", help="a fold's name or all")
    add("--inference_tag", type=name_part, default="")


def add_label_options(parser: argparse.ArgumentParser) -> None:
    """What the answers are scored against."""
    parser.add_argument("--labels", type=Path, help="labels.yaml of the model's recipe")
    parser.add_argument("--train_set", default="", help="sets learnt from, without folds")
    parser.add_argument("--extra_labels", default="", help="CSV id,gender,text,speaker,emotion")


def places_of(
    args: argparse.Namespace, expdir: Path, train_set: str = "", valid_set: str = ""
) -> list[Place]:
    """Where the answers of the experiment in ``expdir`` are, or will be."""
    return places(
        expdir,
        args.dumpdir,
        resolve_splits(args.datadir, args.fold, train_set, valid_set, args.test_sets),
        find_recipes(args.test_recipes, args.recipes_dir),
        folder_name(args.inference_tag),
    )


def inventory(args: argparse.Namespace) -> LabelInventory | None:
    """Of the model's recipe; ``None`` if it has none."""
    return load_labels(args.labels) if args.labels else None


def answers_of(args: argparse.Namespace, parts: list[Place]) -> dict[str, AnsweredSet]:
    """The answers and their references.

    Raises:
        UserError: as `read_tested`, and if a column of the extra labels has none that is tested.
    """
    extra = read_extra_labels(Path(args.extra_labels)) if args.extra_labels else {}
    sets = read_tested(parts, args.dumpdir, inventory(args), extra)
    tested = {utt_id for of in sets.values() for part in of.parts for utt_id in part.ids}
    named = {utt_id for values in extra.values() for utt_id in values}
    if more := sorted(named - tested):
        print(
            f"note: {args.extra_labels}: {len(more)} of {len(named)} utterances are in no tested "
            f"set, e.g. {more[0]}",
            file=sys.stderr,
        )
    for column, values in extra.items():
        if not values.keys() & tested:
            raise UserError(
                f"{args.extra_labels}: column {column!r} has no label of any tested utterance"
            )
    return sets


def results_folder(args: argparse.Namespace, expdir: Path) -> Path:
    """Where the scores of the experiment in ``expdir`` are, or will be."""
    if args.fold not in ("", "all"):  # one fold's scores aren't the experiment's
        expdir = expdir / f"fold{args.fold}"
    if args.inference_tag:  # nor are those of special inference options
        expdir = expdir / folder_name(args.inference_tag)
    return expdir


def remember(args: argparse.Namespace) -> Path:
    """Leave the options beside the results, for `scored_answers`; returns the file."""
    values = {key: getattr(args, key) for key in (*PATHS, *OTHERS)}
    values |= {key: str(Path(values[key]).resolve()) for key in PATHS if values[key]}
    path = results_folder(args, args.expdir) / SCORED_WITH
    with atomic_write(path) as stream:
        json.dump(values, stream, indent=1, ensure_ascii=False)
    return path


def scored_answers(expdir: Path) -> dict[str, AnsweredSet]:
    """The answers that the scores of ``exp/<tag>`` are of.

    Raises:
        UserError: as `answers_of`, and if stage 7 hasn't scored it.
    """
    path = expdir / SCORED_WITH
    if not path.exists():
        raise UserError(f"{path} is missing: score it (stage 7) first")
    values = read_json(path, "score it (stage 7) again")
    paths = {key: Path(values[key]) for key in PATHS if values[key]}
    args = argparse.Namespace(**(values | paths))
    return answers_of(args, places_of(args, expdir, args.train_set))
