"""Label inventories: which classes a recipe's models tell apart. Data, not code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sermtl.errors import UserError

NOTHING = ("", "null", "~")  # YAML's ways to write no value
NO_CLASS = -1  # number of an unknown label, or of one that the model doesn't have


class PlainLoader(yaml.BaseLoader):
    """Everything as text, since a label such as `no` or 01 is neither a truth value nor a number;
    and no key twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is there twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class LabelInventory:
    """Classes in the order of the model's outputs, and what a corpus calls them."""

    classes: dict[str, str]  # label -> name for people
    corpus: dict[str, str | None] = field(default_factory=dict)  # corpus's label -> class or None

    def map(self, label: str) -> str | None:
        """The class of a corpus's own label; ``None`` if the inventory has none for it."""
        return self.corpus.get(label, label if label in self.classes else None)


def load_labels(path: str | Path) -> LabelInventory:
    """Read ``labels.yaml``: ``classes``, and optionally ``corpus``.

    Raises:
        UserError: if the file is missing, is no such mapping, or maps to a class it doesn't list.
    """
    path = Path(path)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=PlainLoader)
    except FileNotFoundError as error:
        raise UserError(f"there is no label file {path}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("classes"), dict):
        raise UserError(f"{path} must hold a mapping `classes:` of label to name")
    classes = content["classes"]
    corpus = content.get("corpus") or {}
    if not isinstance(corpus, dict):
        raise UserError(f"{path}: `corpus:` must be a mapping of the corpus's label to class")
    for label, name in [*classes.items(), *corpus.items()]:
        if not isinstance(name, str):
            raise UserError(f"{path}: {label!r} must be given one name, not {name}")
    corpus = {label: None if name in NOTHING else name for label, name in corpus.items()}
    for label, name in corpus.items():
        if name is not None and name not in classes:
            raise UserError(f"{path}: {label!r} is mapped to {name!r}, which is none of `classes`")
    return LabelInventory(classes, corpus)
