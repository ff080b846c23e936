"""The code that makes a result: the commit, Python, and the packages that compute."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import sermtl
from sermtl.documents import read_json

PACKAGES = (
    *("torch", "transformers", "espnet", "numpy", "kaldiio", "soundfile", "sentencepiece"),
    *("rapidfuzz", "matplotlib"),
)

FILE = "versions.json"
"""In an experiment's folder: what it was begun with, then what it was gone on with."""


def versions() -> dict[str, str]:
    """``commit`` of the checkout, ``python``, ``sermtl`` and `PACKAGES`."""
    own = {
        "commit": commit(),
        "python": platform.python_version(),
        "sermtl": sermtl.__version__,
    }
    return own | {package: _version(package) for package in PACKAGES}


def versions_of(folder: Path) -> list[dict[str, str]]:
    """An experiment's, in the order of use; none of one that didn't record them."""
    path = folder / FILE
    return (
        read_json(path, "remove it, and the experiment's versions are unknown")
        if path.exists()
        else []
    )


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """``torch 2.12.1 -> 2.13.0, …``; empty where nothing differs."""
    return ", ".join(
        f"{name} {before.get(name, 'unknown')} -> {now.get(name, 'unknown')}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    )


def commit() -> str:
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


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
