"""Label inventories: which classes a recipe's models tell apart. Data, not code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sermtl.data.utterance import UNKNOWN
from sermtl.documents import PlainLoader, read_yaml
from sermtl.errors import UserError

NOTHING = ("", "null", "~")  # YAML's ways to write no value
NO_CLASS = -1  # number of an unknown label, or of one that the model doesn't have


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
            label: of_name.get(name, of_name.get(self.elsewhere.get(name)))
            for label, name in self.classes.items()
        }


def load_labels(path: str | Path) -> LabelInventory:
    """Read ``labels.yaml``: ``classes``, and optionally ``corpus`` and ``elsewhere``.

    Raises:
        UserError: if the file can't be read, is no such mapping, or maps to a class it doesn't
            list.
    """
    path = Path(path)
    content = read_yaml(path, PlainLoader)
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
    for label, name in classes.items():
        if not (label.strip() and name.strip()) or label == UNKNOWN:
            raise UserError(f"{path}: a class can't be called {label!r}, nor be named {name!r}")
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
    if len(classes) < 2:
        raise UserError(f"{path}: `classes:` must list two or more, not {', '.join(classes) or 0}")
    return LabelInventory(classes, corpus, maps["elsewhere"])
