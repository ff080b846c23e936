"""JSON and YAML files, from strangers too: data alone, and none that grows in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from sermtl.errors import UserError

# What the parsers raise of odd values besides their own errors: `!!int x`, `!!bool 7`, a number of
# 5000 digits, ten thousand brackets.
FAULTS = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


class NoAliases(yaml.composer.Composer):
    """For loaders: each value is written where it stands.

    A few lines of aliases of aliases stand for gigabytes wherever they are written or merged.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(
                None, None, f"the alias *{event.anchor}: write its value out", event.start_mark
            )
        return super().compose_node(parent, index)


class SafeLoader(NoAliases, yaml.SafeLoader):
    """PyYAML's, which makes no objects but plain values."""


def parse_yaml(text: str, loader: type = SafeLoader) -> Any:
    """The value that a YAML text holds.

    Raises:
        ValueError: telling why it can't be read.
    """
    try:
        return yaml.load(text, loader)
    except FAULTS as error:
        raise ValueError(_reason(error)) from error


def read_yaml(path: Path, loader: type = SafeLoader) -> Any:
    """The value in a YAML file.

    Raises:
        UserError: if it is no YAML, or no UTF-8.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8-sig"), loader)
    except ValueError as error:
        raise UserError(f"{path} is no YAML: {error}") from error


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        UserError: if it is no JSON, or no UTF-8.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FAULTS as error:
        raise UserError(f"{path}: not valid JSON ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error) or type(error).__name__
