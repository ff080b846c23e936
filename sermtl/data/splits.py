"""Which sets a training run learns from, selects on and is tested on."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from sermtl.data.speed_perturbation import parse_factors, perturbed_set
from sermtl.data.utterance import Split
from sermtl.documents import read_json
from sermtl.errors import UserError
from sermtl.files import atomic_write

FOLDS = "folds.json"
SET_NAME = re.compile(r"\w[\w.-]*")
RESERVED = {"tokens"}  # a folder of the dump that is no set


@dataclass(frozen=True)
class Run(Split):
    """The split of one training run."""

    name: str = ""  # "fold<K>", or "" without folds: the subfolder of what belongs to the run


def is_set_name(name: str) -> bool:
    """Whether a set, and its folders, can be called this."""
    return bool(SET_NAME.fullmatch(name)) and name not in RESERVED


def write_folds(datadir: Path, folds: dict[str, Split]) -> None:
    """Record a corpus's folds; without folds the file is removed."""
    if folds:
        with atomic_write(datadir / FOLDS) as stream:
            json.dump({name: asdict(split) for name, split in folds.items()}, stream, indent=1)
    else:
        (datadir / FOLDS).unlink(missing_ok=True)


def resolve_splits(
    datadir: str | Path,
    fold: str = "",
    train_set: str = "",
    valid_set: str = "",
    test_sets: str = "",
    speed_perturb_factors: str = "",
) -> list[Run]:
    """The runs that the options ask for.

    Args:
        datadir: of the recipe.
        fold: a fold's name, ``all``, or empty for a recipe without folds.
        train_set, valid_set, test_sets: names of sets, separated by spaces; used without folds.
        speed_perturb_factors: whose copies of the training sets join them.

    Raises:
        UserError: for a fold or set that doesn't exist; what exists is in the message.
    """
    datadir = Path(datadir)
    path = datadir / FOLDS
    folds = read_json(path, "run stage 1 again") if path.exists() else {}
    if fold:
        if not folds:
            raise UserError(f"--fold {fold}: {datadir} has no folds (is stage 1 done?)")
        if fold != "all" and fold not in folds:
            raise UserError(f"--fold {fold}: there are {', '.join(folds)}, or all")
        names = list(folds) if fold == "all" else [fold]
        runs = [Run(**folds[name], name=f"fold{name}") for name in names]
    else:
        runs = [Run(train_set.split(), valid_set.split(), test_sets.split())]
    factors = parse_factors(speed_perturb_factors)
    for run in runs:
        run.train.extend([perturbed_set(name, f) for f in factors for name in run.train])
    known = sorted(p.parent.name for p in datadir.glob("*/utt2emo"))
    for run in runs:
        for name in (*run.train, *run.valid, *run.test):
            if name not in known:
                hint = f" (the recipe has folds: --fold {'|'.join(folds)}|all)" if folds else ""
                there = ", ".join(known) or "none: run stage 1 first"
                raise UserError(
                    f"there is no set {name!r} in {datadir} (of stage 1); there are {there}{hint}"
                )
    return runs
