"""Test sets of other recipes, for a model of this one (``--test_recipes``)."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from sermtl.data.datadir import read_column
from sermtl.data.labels import LabelInventory, load_labels
from sermtl.data.splits import FOLDS
from sermtl.data.utterance import UNKNOWN
from sermtl.documents import read_json
from sermtl.errors import UserError


@dataclass(frozen=True)
class OtherRecipe:
    """A prepared recipe whose test sets are used."""

    name: str
    dumpdir: Path
    sets: dict[str, list[str]]  # title of a result -> the dumped sets that make it up
    inventory: LabelInventory


def find_recipes(names: str, recipes: Path) -> list[OtherRecipe]:
    """The recipes that ``--test_recipes`` names.

    Args:
        names: separated by spaces; ``name=FOLDER`` where ``data`` and ``dump`` lie in another
            folder than the recipe's own.
        recipes: the folder ``egs``.

    Raises:
        UserError: for a recipe that doesn't exist, is named twice or isn't prepared.
    """
    found = [_find(*word.partition("=")[::2], recipes) for word in names.split()]
    if twice := [r.name for i, r in enumerate(found) if r.name in {o.name for o in found[:i]}]:
        raise UserError(f"--test_recipes names {twice[0]} twice")
    return found


def _find(name: str, folder: str, recipes: Path) -> OtherRecipe:
    recipe = recipes / name
    if not re.fullmatch(r"\w[\w-]*", name) or not (recipe / "recipe.conf").is_file():
        there = ", ".join(sorted(p.parent.name for p in recipes.glob("*/recipe.conf")))
        raise UserError(f"--test_recipes: there is no recipe {name!r}; there are {there}")
    work = Path(folder).absolute() if folder else recipe
    datadir, dumpdir = work / "data", work / "dump"
    declared = _declared(recipe / "recipe.conf")
    sets = {f"{name}_{one}": [one] for one in declared.get("test_sets", "test").split()}
    if (datadir / FOLDS).exists():  # every utterance is in the test set of some fold
        folds = read_json(datadir / FOLDS, f"run stage 1 of {name} again")
        sets = {f"{name}_test": sorted({one for fold in folds.values() for one in fold["test"]})}
    # A release may lack some of the sets that the recipe declares.
    there = {title: of for title, of in sets.items() if all(_has(dumpdir, one) for one in of)}
    if not there:
        wanted = " or ".join(one for of in sets.values() for one in of)
        found = ", ".join(sorted(path.parent.name for path in dumpdir.glob("*/utt2num_samples")))
        raise UserError(
            f"--test_recipes: {dumpdir} has no set {wanted}, but {found or 'nothing'}: "
            f"run egs/{name}/run.sh --stop_stage 1 first, or name its folder as {name}=FOLDER"
        )
    return OtherRecipe(name, dumpdir, there, _inventory(recipe / "labels.yaml", dumpdir, there))


def _has(dumpdir: Path, name: str) -> bool:
    return (dumpdir / name / "utt2num_samples").exists()


def _declared(conf: Path) -> dict[str, str]:
    """The assignments of a recipe.conf, which is shell."""
    words = shlex.split(conf.read_text(encoding="utf-8"), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def _inventory(labels: Path, dumpdir: Path, sets: dict[str, list[str]]) -> LabelInventory:
    """The recipe's labels, or those of its test sets where it brings none: each is its name."""
    if labels.exists():
        return load_labels(labels)
    columns = [read_column(dumpdir / one / "utt2emo") for of in sets.values() for one in of]
    found = {label for column in columns for label in column.values()} - {UNKNOWN}
    return LabelInventory({label: label for label in sorted(found)})
