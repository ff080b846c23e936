"""JSON and YAML files that may be damaged or crafted: what is wrong is told by file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from sermtl.errors import UserError, excerpt, first_line

# What values of the wrong kind raise: `!!int x`, a number of 5000 digits, ten thousand brackets.
ODD = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


def read_json(path: Path, advice: str) -> Any:
    """The content of a JSON file.

    Args:
        path: of the file.
        advice: what to do if it is damaged.

    Raises:
        UserError: if it can't be read, or is no JSON; or a key is there twice, of which Python
            would keep the last.
    """
    try:
        return json.loads(_text(path, f": {advice}"), object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: no JSON ({error.msg}): {advice}") from error
    except KeyError as error:
        raise UserError(f"{path}: {error} is there twice: {advice}") from error
    except ODD as error:
        raise UserError(f"{path}: no JSON ({first_line(error)}): {advice}") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise KeyError(excerpt(key))
        values[key] = value
    return values


class NoAlias(yaml.composer.Composer):
    """Values are written where they stand: ten lines of aliases of aliases are gigabytes once they
    are merged, shown or written."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(
                None, None, f"an alias, *{event.anchor}: write the value itself", event.start_mark
            )
        return super().compose_node(parent, index)


class NoKeyTwice(yaml.constructor.BaseConstructor):
    """Of a key that is there twice YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else key
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{excerpt(str(name))!r} is there twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


class SafeLoader(NoAlias, yaml.SafeLoader):
    """Plain values, never objects."""


class PlainLoader(NoAlias, NoKeyTwice, yaml.BaseLoader):
    """Everything as text: a label such as `no` or 01 is neither a truth value nor a number."""


def read_yaml(path: Path, loader: type = SafeLoader) -> Any:
    """The content of a YAML file.

    Raises:
        UserError: if it can't be read or is no YAML.
    """
    try:
        return yaml.load(_text(path), Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise UserError(f"{path}:{line}: no YAML ({error.problem or error.context})") from error
    except yaml.reader.ReaderError as error:
        line = _text(path)[: error.position].count("\n") + 1
        raise UserError(f"{path}:{line}: no YAML ({error.reason})") from error
    except ODD as error:
        raise UserError(f"{path}: no YAML ({first_line(error)})") from error


def _text(path: Path, advice: str = "") -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}{advice}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        advice = advice or "; save the file as UTF-8"
        raise UserError(f"{path}:{line}: not UTF-8{advice}") from error
