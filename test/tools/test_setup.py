"""tools/setup.sh and tools/path.sh: their decisions, with pretended interpreters.

No package is installed here: the interpreter that setup.sh finds is a script that notes its calls.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Answers like a Python of version $FAKE_VERSION in whose environment pip does nothing.
PYTHON = r"""#!/usr/bin/env bash
echo "$0 $*" >>"$FAKE_CALLS"
case "$*" in
  *ensurepip*) [[ ${FAKE_VERSION-3.11} == 3.1[012] ]] ;;
  --version) echo "Python ${FAKE_VERSION-3.11}" ;;
  "-m venv "*)
    mkdir -p "$3/bin" "$3/lib/site-packages"
    cp "$0" "$3/bin/python"
    ;;
  *"-m pip install"*) [[ "$*" != *"${FAKE_FAIL-@}"* ]] || { echo "no such wheel"; exit 1; } ;;
  *purelib*) echo "$(dirname "$0")/../lib/site-packages" ;;
  *check_environment.py*)
    echo "${FAKE_CHECK-versions}"
    [[ ${FAKE_CHECK-versions} == versions ]]
    ;;
esac
"""


class Checkout:
    """A copy of what setup.sh needs, with a PATH that has the pretended Python only."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = folder / "check out"
        for name in ("tools", "utils"):
            (self.root / name).mkdir(parents=True)
        for name in ("setup.sh", "path.sh", "environment.sh", "requirements.lock"):
            shutil.copy(root / "tools" / name, self.root / "tools" / name)
        shutil.copy(root / "utils" / "parse_options.sh", self.root / "utils")
        self.venv = self.root / "tools" / "venv"
        self.lock = self.root / "tools" / "requirements.lock"
        self.calls = folder / "calls"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in ("bash", "dirname", "cut", "sha256sum", "mkdir", "mv", "cp", "rm", "find",
                     "sed", "tail", "cat", "flock", "env"):  # fmt: skip
            (self.bin / name).symlink_to(shutil.which(name))
        self.python("python3.11")

    def python(self, name: str, text: str = PYTHON) -> Path:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def environment(self, name: str) -> Path:
        """A pretended active environment."""
        prefix = self.bin.parent / name
        (prefix / "bin").mkdir(parents=True)
        shutil.copy(self.python("other"), prefix / "bin" / "python")
        return prefix

    def bash(self, command: str, **env: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(self.bin / "bash"), "-c", command],
            env={"PATH": str(self.bin), "FAKE_CALLS": str(self.calls), **env},
            cwd=self.bin.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def setup(self, *arguments: str, **env: str) -> subprocess.CompletedProcess:
        words = " ".join(f"'{argument}'" for argument in arguments)
        return self.bash(f"'{self.root}/tools/setup.sh' {words}", **env)

    def installed(self) -> list[str]:
        """Arguments of the pip calls so far."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line.partition("-m pip install ")[2] for line in lines if "-m pip install" in line]


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Checkout:
    return Checkout(root, tmp_path)


def test_first_run_then_nothing_to_do(checkout: Checkout):
    done = checkout.setup()
    assert done.returncode == 0, done.stderr
    first = checkout.installed()
    assert f"-r {checkout.lock}" in first[0]
    assert first[1].endswith("--no-deps --no-build-isolation espnet==202511")
    assert first[2].endswith("--no-deps --no-build-isolation openai-whisper==20250625")
    assert first[3].endswith(f"--no-deps --no-build-isolation -e {checkout.root}")
    marker = (checkout.venv / ".complete").read_text().strip()
    assert marker == hashlib.sha256(checkout.lock.read_bytes()).hexdigest()

    began = time.monotonic()
    done = checkout.setup()
    assert time.monotonic() - began < 0.5
    assert (done.returncode, done.stdout) == (0, f"environment: {checkout.venv}\n")
    assert len(checkout.installed()) == 4


def test_a_changed_lock_is_caught_up_with(checkout: Checkout):
    checkout.setup()
    with checkout.lock.open("a") as stream:
        stream.write("# newer\n")
    said = checkout.bash(f". '{checkout.root}/tools/path.sh'").stderr
    assert "requirements.lock has changed" in said
    assert checkout.setup().returncode == 0
    assert len(checkout.installed()) == 8
    assert checkout.calls.read_text().count("-m venv ") == 1


def test_a_failed_installation_is_told_and_continued(checkout: Checkout):
    done = checkout.setup(FAKE_FAIL="espnet==")
    assert done.returncode == 1
    assert "no such wheel" in done.stderr
    assert f"error: espnet==202511 failed; the whole log: {checkout.venv}/setup.log" in done.stderr
    assert not (checkout.venv / ".complete").exists()
    assert "run " in checkout.bash(f". '{checkout.root}/tools/path.sh'").stderr
    assert checkout.setup().returncode == 0
    assert checkout.calls.read_text().count("-m venv ") == 1


def test_what_a_killed_pip_left_is_removed(checkout: Checkout):
    checkout.setup(FAKE_FAIL="espnet==")
    packages = checkout.venv / "lib" / "site-packages"
    for name in ("whole-1.dist-info", "half-1.dist-info", "~umpy"):
        (packages / name).mkdir()
    (packages / "whole-1.dist-info" / "INSTALLER").write_text("pip\n")
    assert checkout.setup().returncode == 0
    assert [path.name for path in packages.iterdir()] == ["whole-1.dist-info"]


def test_shims_that_lead_nowhere_are_passed_over(checkout: Checkout):
    checkout.python("python3.11", "#!/usr/bin/env bash\necho 'pyenv: not found' >&2; exit 127\n")
    good = checkout.python("python3.12")
    done = checkout.setup()
    assert done.returncode == 0, done.stderr
    assert f"{good} -m venv {checkout.venv}" in checkout.calls.read_text()


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_no_suitable_python(checkout: Checkout, version: str):
    done = checkout.setup(FAKE_VERSION=version)
    assert done.returncode == 1
    assert "no Python 3.10, 3.11 or 3.12 with venv and ensurepip on PATH" in done.stderr
    assert checkout.installed() == []


def test_a_named_python(checkout: Checkout):
    mine = checkout.python("my python")
    assert checkout.setup("--python", str(mine)).returncode == 0
    assert f"{mine} -m venv" in checkout.calls.read_text()
    (checkout.venv / ".complete").unlink()
    assert "it exists with Python 3.11" in checkout.setup("--python", str(mine)).stdout


def test_a_named_python_that_does_not_serve(checkout: Checkout):
    done = checkout.setup("--python", "/nowhere/python")
    assert done.returncode == 1
    assert "--python /nowhere/python: not a Python 3.10, 3.11 or 3.12" in done.stderr


def test_an_active_environment_that_serves_is_used(checkout: Checkout):
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = checkout.environment(variable.lower())
        done = checkout.setup(**{variable: str(prefix)})
        assert (done.returncode, done.stdout) == (0, f"environment: {prefix} (active): versions\n")
        shown = checkout.bash(
            f". '{checkout.root}/tools/path.sh' && echo \"$PATH\"", **{variable: str(prefix)}
        )
        assert shown.stdout.startswith(f"{checkout.root}/utils:{prefix}/bin:"), shown.stderr
    assert checkout.installed() == []


def test_an_active_environment_that_does_not_serve(checkout: Checkout):
    prefix = checkout.environment("bare")
    done = checkout.setup(VIRTUAL_ENV=str(prefix), FAKE_CHECK="no torch")
    assert done.returncode == 0, done.stderr
    assert f"environment: not the active {prefix}: no torch" in done.stdout
    assert len(checkout.installed()) == 4


def test_path_sh(checkout: Checkout):
    missing = checkout.bash(f". '{checkout.root}/tools/path.sh'; echo \"status $?\"")
    assert missing.stdout == "status 1\n"
    assert f"no Python environment yet: run {checkout.root}/tools/setup.sh" in missing.stderr
    checkout.setup()
    path = f"{checkout.root}/tools/path.sh"
    shown = checkout.bash(
        f"set -euo pipefail; . '{path}'; . '{path}'; "
        "echo $PATH; echo $PYTHONPATH; echo $VIRTUAL_ENV",
        PYTHONPATH="/mine",
    )
    assert shown.stderr == ""
    assert shown.stdout.splitlines() == [
        f"{checkout.root}/utils:{checkout.venv}/bin:{checkout.bin}",
        f"{checkout.root}:/mine",
        str(checkout.venv),
    ]


def test_closed_standard_input(checkout: Checkout):
    done = checkout.bash(f"'{checkout.root}/tools/setup.sh' <&-")
    assert done.returncode == 0, done.stderr


def test_unknown_option(checkout: Checkout):
    done = checkout.setup("--pyton", "x")
    assert done.returncode == 1 and "did you mean --python?" in done.stderr


def test_this_environment_serves(root: Path):
    """The real check on the interpreter that runs the tests: fast, without heavy imports."""
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", str(root / "tools" / "check_environment.py"),
         str(root / "tools" / "requirements.lock")],
        capture_output=True, text=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "espnet 202511" in done.stdout
    assert "| torch" not in done.stderr
