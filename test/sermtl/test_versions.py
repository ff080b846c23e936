"""What a result's code is told by."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import numpy
import torch

import sermtl
from sermtl.versions import commit, differences, versions


def test_versions_are_those_that_are_imported() -> None:
    told = versions()
    assert (told["numpy"], told["torch"]) == (numpy.__version__, torch.__version__)
    assert (told["sermtl"], told["python"]) == (sermtl.__version__, platform.python_version())


def test_the_commit_is_the_checkouts(root: Path) -> None:
    git = ["git", "-C", str(root), "rev-parse", "HEAD"]
    head = subprocess.run(git, capture_output=True, text=True).stdout.strip() or "unknown"
    assert commit().removesuffix(" with local changes") == head


def test_differences_name_what_changed_came_and_went() -> None:
    before, now = {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}
    assert differences(before, now) == "b 1 -> 2, c 1 -> unknown, d unknown -> 1"
    assert differences(now, now) == ""
