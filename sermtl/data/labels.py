"""Label inventories: which classes a recipe's models tell apart. Data, not code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from sermtl.errors import UserError


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
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"there is no label file {path}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("classes"), dict):
        raise UserError(f"{path} must hold a mapping `classes:` of label to name")
    classes = {str(label): str(name) for label, name in content["classes"].items()}
    corpus = {
        str(label): None if name is None else str(name)
        for label, name in (content.get("corpus") or {}).items()
    }
    for label, name in corpus.items():
        if name is not None and name not in classes:
            raise UserError(f"{path}: {label!r} is mapped to {name!r}, which is none of `classes`")
    return LabelInventory(classes, corpus)
