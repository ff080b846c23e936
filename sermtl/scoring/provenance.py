"""What a result was made with: commands, commit, versions, configuration, parameters."""

from __future__ import annotations

import os
import shlex
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import sermtl
from sermtl.documents import read_json

PACKAGES = ("torch", "transformers", "espnet", "numpy", "rapidfuzz", "matplotlib")
COMMAND_VARIABLE = "SERMTL_COMMAND"
"""Environment variable in which ``run.sh`` tells how it was called."""


def provenance(models: dict[str, Path], module: str, arguments: list[str]) -> dict[str, Any]:
    """The facts that results open with.

    Args:
        models: folder of each fold's model (or one entry ``""``).
        module: the scoring command.
        arguments: its.

    Returns:
        ``commands``, ``commit``, ``versions``, ``confs`` (paths) and ``parameters`` (of the first
        model, where stage 6 counted them).
    """
    shown = [_from_here(argument) for argument in arguments]
    scoring = shlex.join(["python", "-m", module, *shown])
    called = os.environ.get(COMMAND_VARIABLE, "").strip()
    counts = next(iter(models.values())) / "parameters.json"
    return {
        "commands": [command for command in (called, scoring) if command],
        "commit": _commit(),
        "versions": {"sermtl": sermtl.__version__, **_versions()},
        "confs": [_from_here(folder / "conf.yaml") for folder in models.values()],
        "parameters": read_json(counts, "remove it") if counts.exists() else None,
    }


def _from_here(path: str | Path) -> str:
    """A path below the current folder without the part that only this machine has."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else str(path)


def _commit() -> str:
    """The checkout's commit, and whether tracked files differ from it; "unknown" outside git."""
    package = Path(sermtl.__file__).parent
    git = ["git", "-C", str(package)]
    try:
        # A copy installed inside some other checkout isn't tracked there.
        subprocess.run(
            [*git, "ls-files", "--error-unmatch", "__init__.py"], check=True, capture_output=True
        )
        command = [*git, "describe", "--always", "--dirty= with local changes", "--abbrev=40"]
        command += ["--exclude=*"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions
