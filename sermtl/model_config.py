"""The configuration of a trained model, which may be a stranger's: what it must hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sermtl.documents import read_json, read_yaml
from sermtl.errors import UserError

AGAIN = "get the model again"
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # what terminals take for commands


def read_model_config(path: Path) -> dict[str, Any]:
    """``config.yaml`` of an experiment, or ``config.json`` of a packed model.

    Its ``model`` is a mapping, which training writes in place of the encoder's name: no other file
    of the machine is read for it.

    Raises:
        UserError: if the file isn't there or isn't what training and packing write.
    """
    if not path.exists():
        raise UserError(f"{path} is missing: has training (stage 5) finished?")
    # YAML would read JSON's 1e-05 as text.
    config = read_json(path, AGAIN) if path.suffix == ".json" else read_yaml(path)
    for what, holds in _demands(config):
        if not holds:
            raise UserError(f"{path}: damaged, or no configuration of a model: {what}")
    return config


def _demands(config: Any) -> Iterator[tuple[str, bool]]:
    """What must hold, each only looked at where those before it do."""
    yield "not a mapping", isinstance(config, dict)
    for key in ("frontend_conf", "model_conf", "labels"):
        yield f"`{key}` is no mapping", isinstance(config.get(key), dict)
    model = config["frontend_conf"].get("model")
    yield "`frontend_conf: model` describes no encoder", isinstance(model, dict)
    yield "`model_conf: tasks` is no list", _texts(config["model_conf"].get("tasks"))
    yield "`token_list` is no list", _texts(config.get("token_list"))
    labels = config["labels"]
    yield "no `emotions`", _texts(labels.get("emotions")) and bool(labels["emotions"])
    for key in ("genders", "speakers"):
        yield f"`{key}` is no list", _texts(labels.get(key, []))
    yield "no counts of `tasks`", _numbers(labels.get("tasks"))
    lacking = [t for t in (*config["model_conf"]["tasks"], "emotion") if t not in labels["tasks"]]
    yield f"no count of {lacking}", not lacking
    counts = labels.get("counts")
    yield "no `counts`", isinstance(counts, dict) and _numbers(counts.get("emotion"))
    names = labels.get("names", {})
    yield "`names` is no mapping", isinstance(names, dict) and _texts(list(names.values()))
    yield "`names` are other classes", not names or list(names) == labels["emotions"]


def _texts(value: Any) -> bool:
    """Whether it is a list of texts that can be shown."""
    return isinstance(value, list) and all(
        isinstance(text, str) and not UNPRINTABLE.search(text) for text in value
    )


def _numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(n, int | float) and n >= 0 for n in value.values()
    )
