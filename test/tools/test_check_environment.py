"""tools/check_environment.py, and that it, the lock and setup.py agree."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def check(root: Path) -> ModuleType:
    path = root / "tools" / "check_environment.py"
    spec = importlib.util.spec_from_file_location("check_environment", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def lock(root: Path) -> str:
    return (root / "tools" / "requirements.lock").read_text()


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(root: Path) -> dict[str, str]:
    """install_requires of setup.py: version condition by name."""
    tree = ast.parse((root / "setup.py").read_text())
    (call,) = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "setup"
    ]
    (value,) = [k.value for k in call.keywords if k.arg == "install_requires"]
    parts = [re.fullmatch(r"([\w.-]+)(.*)", item) for item in ast.literal_eval(value)]
    return {plain(part[1]): part[2] for part in parts}


def test_needed_are_neither_extras_nor_indirect(check: ModuleType, lock: str):
    needed = check.needed_packages(lock)
    assert {"espnet", "openai-whisper", "torch", "transformers", "sentencepiece"} <= set(needed)
    assert not {"pytest", "espeakng-loader", "wheel", "jinja2", "absl-py"} & set(needed)


def test_all_that_setup_py_declares_is_needed(check: ModuleType, lock: str, root: Path):
    assert set(declared(root)) <= {plain(name) for name in check.needed_packages(lock)}


def test_the_same_bounds_as_setup_py(check: ModuleType, root: Path):
    conditions = declared(root)
    for name, version in check.EXACT.items():
        assert conditions[name] == f"=={version}"
    for name, numbers in check.LEAST.items():
        assert conditions[name] == ">=" + ".".join(map(str, numbers))


def test_every_version_is_pinned(lock: str):
    lines = [line for line in lock.splitlines() if line and not line.startswith("# ")]
    pattern = r'(#no-deps )?[\w.-]+==[\w.]+(; python_version < "3\.11")?'
    assert all(re.fullmatch(pattern, line) for line in lines)
    names = [plain(line.removeprefix("#no-deps ").split("==")[0]) for line in lines]
    assert len(names) == len(set(names))


def test_complaints(check: ModuleType, monkeypatch: pytest.MonkeyPatch):
    versions = {"torch": "2.13.0+cpu", "espnet": "202511", "transformers": "5.1", "numpy": "2.0"}

    def version(name: str) -> str:
        if name not in versions:
            raise check.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(check, "version", version)
    packages = ["torch", "espnet", "transformers", "numpy"]
    assert check.complaints(packages) == []
    assert check.complaints([*packages, "jiwer"]) == ["no jiwer"]
    versions.update(torch="2.1.0+cu121", espnet="202412", transformers="4.50.0")
    assert check.complaints(packages) == [
        "torch 2.1.0+cu121",
        "espnet 202412",
        "transformers 4.50.0",
    ]
