"""Every package that the environment is made of has one version, written in the lock file.

No hashes: the wheel of one version of torch differs between the index with CUDA's and the one with
the CPU's, and pip takes hashes for all packages or for none.
"""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "tools" / "requirements.lock").read_text(encoding="utf-8").splitlines()
ALONE = [line[len("#no-deps ") :] for line in LOCK if line.startswith("#no-deps ")]
PINS = ALONE + [line for line in LOCK if line and not line.startswith("#")]
LOCKED = {canonicalize_name(Requirement(pin).name) for pin in PINS}
OPTIONAL = {"torchaudio", "wandb"}  # used if somebody has installed them
ON_REQUEST = {"mutmut", "playwright"}  # by make_venv, for tests
OF_TORCH = re.compile(r"nvidia-|cuda-|triton$")  # which its wheel pins itself


def imported() -> set[str]:
    """Top-level names of what the project's Python files import."""
    names = set()
    for folder in ("sermtl", "test", "tools", "utils"):
        for path in (ROOT / folder).rglob("*.py"):
            if "venv" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
    return names


def declared() -> list[str]:
    """Requirements in setup.py, extras included."""
    call = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body[-1].value
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    extras = ast.literal_eval(options["extras_require"]).values()
    return sum(extras, ast.literal_eval(options["install_requires"]))


def test_one_version_each():
    form = r"[a-zA-Z0-9_.-]+==[0-9][0-9a-z.]*(; python_version < \"3\.11\")?"
    assert [pin for pin in PINS if not re.fullmatch(form, pin)] == []
    assert len(LOCKED) == len(PINS) > 100


def test_all_imports_are_locked():
    installed = packages_distributions()
    own = {
        path.stem for folder in ("test", "tools", "utils") for path in ROOT.glob(f"{folder}/**/*")
    }
    missing = {
        name: packages
        for name in imported()
        - set(sys.stdlib_module_names)
        - own
        - OPTIONAL
        - ON_REQUEST
        - {"sermtl"}
        if not (packages := {canonicalize_name(p) for p in installed.get(name, ())}) & LOCKED
    }
    assert missing == {}


def test_what_setup_py_declares_is_locked_within_its_bounds():
    pins = {canonicalize_name(Requirement(pin).name): Requirement(pin).specifier for pin in PINS}
    unfit = []
    for line in declared():
        requirement = Requirement(line)
        (pin,) = pins.get(canonicalize_name(requirement.name), [None])
        if pin is None or not requirement.specifier.contains(pin.version):
            unfit.append(line)
    assert unfit == []


def test_what_locked_packages_need_is_locked():
    missing = set()
    for pin in PINS:
        requirement = Requirement(pin)
        if pin in ALONE or (requirement.marker and not requirement.marker.evaluate()):
            continue
        for line in distribution(requirement.name).requires or ():
            needed = Requirement(line)
            name = canonicalize_name(needed.name)
            applies = not needed.marker or needed.marker.evaluate({"extra": ""})
            if applies and name not in LOCKED and not OF_TORCH.match(name):
                missing.add(f"{requirement.name} needs {line}")
    assert missing == set()


def test_environments_of_tests_on_request_are_pinned():
    """Those that ``make_venv`` makes on top of the project's."""
    calls = [
        (script, line)
        for script in (ROOT / "test").glob("*/run.sh")
        for line in script.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith("make_venv")
    ]
    packages = {word for _, line in calls for word in line.split()[2:] if word != '"$gradio"'}
    assert packages and all("==" in word for word in packages), packages
    assert {word.partition("==")[0] for word in packages} == ON_REQUEST
