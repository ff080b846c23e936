"""Corpora: one module each, which turns what is on disk into utterances.

A module has ``load(labels, datadir, **options) -> Corpus``; its options are the recipe's own
(``egs/<recipe>/recipe.conf``), as text.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path

from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import Corpus
from sermtl.errors import UserError


def load_corpus(
    recipe: str, labels: LabelInventory | None, datadir: Path, options: Mapping[str, str]
) -> Corpus:
    """Read a recipe's corpus.

    Args:
        recipe: name of the module.
        labels: the recipe's inventory; ``None`` if the corpus brings its labels.
        datadir: of the recipe, for what a module makes itself.
        options: the recipe's own; empty ones count as not given.

    Raises:
        UserError: for an unknown recipe or option, or a required option that isn't given.
    """
    name = f"sermtl.corpora.{recipe}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not name.startswith(str(error.name)):
            raise
        module = None
    if not hasattr(module, "load"):
        raise UserError(f"there is no corpus module for the recipe {recipe!r}")
    parameters = list(inspect.signature(module.load).parameters.values())[2:]
    known = [parameter.name for parameter in parameters]
    if unknown := [name for name in options if name not in known]:
        raise UserError(f"{recipe} has no option {unknown[0]}; it has: {', '.join(known)}")
    given = {name: value for name, value in options.items() if value}
    for parameter in parameters:
        if parameter.default is parameter.empty and parameter.name not in given:
            raise UserError(f"the recipe {recipe} needs --{parameter.name} (see run.sh --help)")
    return module.load(labels, datadir, **given)
