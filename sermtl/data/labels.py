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
    """Classes in the order of the model's outputs, and what a corpus calls them.

    Names are the same in all recipes (``anger``, ``happiness`` …), so that a model of one can be
    tested on the corpus of another.
    """

    classes: dict[str, str]  # label -> name for people
    corpus: dict[str, str | None] = field(default_factory=dict)  # corpus's label -> class or None
    elsewhere: dict[str, str] = field(default_factory=dict)  # name -> name, for other inventories

    def map(self, label: str) -> str | None:
        """The class of a corpus's own label; ``None`` if the inventory has none for it."""
        return self.corpus.get(label, label if label in self.classes else None)

    def into(self, other: LabelInventory) -> dict[str, str | None]:
        """Each of these classes as the other inventory's class of the same name.

        A name that the other lacks is looked up in ``elsewhere``; ``None`` if that fails, too.
        """
        of_name = {name: label for label, name in other.classes.items()}
        return {
            label: of_name.get(name, of_name.get(self.elsewhere.get(name, "")))
            for label, name in self.classes.items()
        }


def load_labels(path: str | Path) -> LabelInventory:
    """Read ``labels.yaml``: ``classes``, and optionally ``corpus`` and ``elsewhere``.

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
    maps = {part: content.get(part) or {} for part in ("corpus", "elsewhere")}
    for part, mapping in maps.items():
        if not isinstance(mapping, dict):
            raise UserError(f"{path}: `{part}:` must be a mapping of one label to another")
    for label, name in (pair for m in (classes, *maps.values()) for pair in m.items()):
        if not isinstance(name, str):
            raise UserError(f"{path}: {label!r} must be given one name, not {name}")
    for name in classes.values():
        if list(classes.values()).count(name) > 1:
            raise UserError(f"{path}: two classes are named {name!r}")
    corpus = maps["corpus"]
    corpus = {label: None if name in NOTHING else name for label, name in corpus.items()}
    for label, name in corpus.items():
        if name is not None and name not in classes:
            raise UserError(f"{path}: {label!r} is mapped to {name!r}, which is none of `classes`")
    for name in maps["elsewhere"]:
        if name not in classes.values():
            raise UserError(f"{path}: `elsewhere:` has {name!r}, which names none of `classes`")
    return LabelInventory(classes, corpus, maps["elsewhere"])
