"""Layered training configurations: each file states only what it changes."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from sermtl.documents import ODD, NoAlias, NoKeyTwice, read_yaml
from sermtl.errors import UserError
from sermtl.training.monitors import is_monitor


class Loader(NoAlias, NoKeyTwice, yaml.SafeLoader):
    """Safe, and with 1e-4 for a number, as YAML 1.2 has it; for PyYAML that is text."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def resolve(
    files: Iterable[str | Path],
    arguments: str = "",
    ssl_model: str | None = None,
    option: str = "--train_args",
) -> dict[str, Any]:
    """Later layers win: mappings merge, lists and values replace.

    Args:
        files: YAML files, the base first.
        arguments: ``--train_args``, such as ``--max_epoch 3 --model_conf swfc.gamma=1``.
        ssl_model: the encoder's hub name or folder, in place of the configuration's.
        option: which one the arguments are of, for messages.

    Raises:
        UserError: for a file that is missing or no mapping, and for arguments of another form.
    """
    conf: dict[str, Any] = {}
    for file in files:
        conf = merge(conf, _read(Path(file)))
    conf = merge(conf, parse_arguments(arguments, option))
    if ssl_model:
        name = str(Path(ssl_model).absolute()) if Path(ssl_model).exists() else ssl_model
        conf = merge(conf, {"frontend_conf": {"model": name}})
    return conf


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``base``; neither changes. A null takes an option back to its default.

    Raises:
        UserError: where a single value would replace a mapping of options.
    """
    merged = dict(base)
    for key, value in over.items():
        under = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = merge(under if isinstance(under, Mapping) else {}, value)
        elif isinstance(under, Mapping) and key != "model":  # a name may replace a description
            raise UserError(f"{key} holds options, such as {key}.name=value, not {value!r}")
        else:
            merged[key] = value
    return merged


def parse_arguments(arguments: str, option: str = "--train_args") -> dict[str, Any]:
    """``--key value`` and ``--key a.b=value``, as on an ESPnet command line.

    Raises:
        UserError: for what isn't pairs of these.
    """
    try:
        words = shlex.split(arguments)
    except ValueError as error:
        raise UserError(f"{option} {arguments!r}: {error}") from error
    conf: dict[str, Any] = {}
    if len(words) % 2:
        raise UserError(f"{option} takes pairs of --name and value, not {arguments!r}")
    for name, value in zip(words[::2], words[1::2], strict=True):
        if not name.startswith("--"):
            raise UserError(f"{option} {arguments!r}: expected --name, found {name!r}")
        path = [name[2:]]
        if re.match(r"[\w.]+=", value):
            inner, value = value.split("=", 1)
            path += inner.split(".")
        try:
            part: Any = yaml.load(value, Loader)
        except (yaml.YAMLError, *ODD) as error:
            raise UserError(f"{option} {arguments!r}: {value!r} is no YAML value") from error
        for key in reversed(path):
            part = {key: part}
        conf = merge(conf, part)
    return conf


def tag(overlays: Iterable[str | Path], arguments: str, ssl_model: str | None) -> str:
    """The experiment's name: what differs from the recipe's own system, or ``train``."""
    parts = [Path(overlay).stem for overlay in overlays]
    parts += [Path(ssl_model).name] if ssl_model else []
    parts += [without_monitors(arguments)] if arguments else []
    name = re.sub(r"[^\w.=-]+", "_", "_".join(parts).replace("--", "")).strip("_")
    return name or "train"


def without_monitors(arguments: str) -> str:
    """``--train_args`` without what is about monitors; as they are if they aren't pairs."""
    try:
        words = shlex.split(arguments)
    except ValueError:
        return arguments
    pairs = list(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or not any(is_monitor(name[2:]) for name, _ in pairs):
        return arguments
    return shlex.join(word for pair in pairs if not is_monitor(pair[0][2:]) for word in pair)


def dump(conf: Mapping[str, Any]) -> str:
    """As YAML, keys in the layers' order."""
    return yaml.safe_dump(dict(conf), sort_keys=False, allow_unicode=True)


def difference(old: str, new: str, name: str) -> str:
    """A unified diff of two texts, empty if they are equal."""
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"{name} of the experiment", f"{name} now", lineterm=""
    )
    return "\n".join(lines)


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise UserError(f"there is no configuration {file}")
    conf = read_yaml(file, Loader)
    if conf is not None and not isinstance(conf, dict):
        raise UserError(f"{file} must hold a mapping of option to value")
    return conf or {}
