"""utils/parse_options.sh, sourced by small scripts."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = """#!/usr/bin/env bash
set -euo pipefail
stage=1
stop_stage=7
force=false
train_args=
ssl_model=microsoft/wavlm-large
help_message="Usage: 100% of it
  in \\$HOME"
. {parse_options}
printf '%s\\n' "stage=$stage" "stop_stage=$stop_stage" "force=$force" "train_args=$train_args"
printf 'argument=%s\\n' "$@"
"""


@pytest.fixture
def script(root: Path, tmp_path: Path) -> Path:
    path = tmp_path / "script.sh"
    path.write_text(SCRIPT.format(parse_options=root / "utils" / "parse_options.sh"))
    return path


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", str(script), *arguments],
        capture_output=True,
        text=True,
        cwd=script.parent,
        stdin=subprocess.DEVNULL,
    )


def values(script: Path, *arguments: str) -> list[str]:
    done = run(script, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def error(script: Path, *arguments: str) -> str:
    done = run(script, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("script.sh: error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_both_spellings_and_positional_arguments(script: Path):
    got = values(script, "--stop-stage", "3", "--stage", "2", "one", "two words", "--stage")
    assert got[:2] == ["stage=2", "stop_stage=3"]
    assert got[4:] == ["argument=one", "argument=two words", "argument=--stage"]


def test_the_last_one_wins(script: Path):
    assert values(script, "--stage", "2", "--stage=4", "--stage", "3")[0] == "stage=3"


@pytest.mark.parametrize(
    "value",
    ["$(touch evil)", "`touch evil`", "a  b", "'\"", "a; touch evil", "$HOME", "--x 1", "*", "\\n"],
)
def test_values_are_taken_literally(script: Path, value: str):
    assert values(script, "--train_args", value)[3] == f"train_args={value}"
    assert values(script, f"--train-args={value}")[3] == f"train_args={value}"
    assert not (script.parent / "evil").exists()


def test_an_empty_value(script: Path):
    assert values(script, "--train_args", "", "--stage=")[0] == "stage="


def test_double_dash_ends_options(script: Path):
    assert values(script, "--", "--stage", "2")[0] == "stage=1"


def test_unknown_option_with_a_hint(script: Path):
    assert "unknown option --stge; did you mean --stage?" in error(script, "--stge", "3")
    assert "did you mean --ssl_model?" in error(script, "--sslmodel=x")
    assert "did you mean" not in error(script, "--entirely_else", "3")


@pytest.mark.parametrize("name", ["--PATH", "--a.b", "--a[$(touch evil)]", "--HOME"])
def test_other_variables_are_not_options(script: Path, name: str):
    assert "unknown option" in error(script, name, "x")
    assert not (script.parent / "evil").exists()


@pytest.mark.parametrize("rest", [[], ["--stage", "2"], ["--"], ["--stage=2", "--force"]])
def test_a_truth_value_alone_is_true(script: Path, rest: list[str]):
    got = values(script, "--force", *rest)
    assert got[2] == "force=true"
    assert got[0] == ("stage=2" if len(rest) == 2 else "stage=1")


def test_truth_values(script: Path):
    assert values(script, "--force", "true")[2] == "force=true"
    assert "--force takes true or false, not 'yes'" in error(script, "--force", "yes")
    assert "not ''" in error(script, "--force", "")


def test_missing_value(script: Path):
    assert "--stage needs a value" in error(script, "--stage")
    assert "--stage needs a value, but the option --stop_stage" in error(
        script, "--stage", "--stop_stage", "3"
    )


def test_help_is_literal_and_instant(script: Path):
    began = time.monotonic()
    done = run(script, "--help")
    assert time.monotonic() - began < 0.5
    assert (done.returncode, done.stdout) == (0, "Usage: 100% of it\n  in $HOME\n")


def test_config_file_at_its_place(script: Path):
    (script.parent / "my.conf").write_text("stage=5\ntrain_args='a b'\n")
    got = values(script, "--stage", "2", "--config", "my.conf", "--stop_stage", "6")
    assert got[:4] == ["stage=5", "stop_stage=6", "force=false", "train_args=a b"]
    assert values(script, "--config", "my.conf", "--stage", "2")[0] == "stage=2"


def test_config_file_under_the_same_rules(script: Path):
    (script.parent / "bad.conf").write_text("force=perhaps\n")
    assert "--force takes true or false" in error(script, "--config", "bad.conf")
    (script.parent / "bad.conf").write_text("stag=3\n")
    assert "sets an unknown option, stag" in error(script, "--config", "bad.conf")
    assert "can't read 'none.conf'" in error(script, "--config", "none.conf")


def test_leaves_nothing_behind(root: Path, tmp_path: Path):
    path = tmp_path / "script.sh"
    path.write_text(
        f"stage=1\nbefore=\nbefore=$(compgen -v; compgen -A function)\n"
        f". {root}/utils/parse_options.sh\n"
        'diff <(echo "$before") <(compgen -v; compgen -A function) | grep "^>" || true\n'
    )
    done = subprocess.run(
        ["bash", str(path), "--stage", "2"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert (done.stdout, done.stderr) == ("", "")
