"""What a result was made with: commands, commit, versions, configuration, parameters."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from sermtl.documents import read_json
from sermtl.versions import differences, versions, versions_of

COMMAND_VARIABLE = "SERMTL_COMMAND"
"""Environment variable in which ``run.sh`` tells how it was called."""


def provenance(models: dict[str, Path], module: str, arguments: list[str]) -> dict[str, Any]:
    """The facts that results open with.

    Args:
        models: folder of each fold's model (or one entry ``""``).
        module: the scoring command.
        arguments: its.

    Returns:
        ``commands``, ``commit``, ``versions``, ``trained_with`` (where the first model was
        trained with others: ``name then -> now``), ``confs`` (paths) and ``parameters`` (of the
        first model, where stage 6 counted them).
    """
    shown = [_from_here(argument) for argument in arguments]
    scoring = shlex.join(["python", "-m", module, *shown])
    called = os.environ.get(COMMAND_VARIABLE, "").strip()
    first = next(iter(models.values()))
    counts, now = first / "parameters.json", versions()
    trained = [differences(then, now) for then in versions_of(first)]
    return {
        "commands": [command for command in (called, scoring) if command],
        "commit": now.pop("commit"),
        "versions": now,
        "trained_with": "; then ".join(changes or "as now" for changes in trained if any(trained)),
        "confs": [_from_here(folder / "conf.yaml") for folder in models.values()],
        "parameters": read_json(counts, "remove it") if counts.exists() else None,
    }


def _from_here(path: str | Path) -> str:
    """A path below the current folder without the part that only this machine has."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else str(path)
