"""The same seed and data give the same bytes, wherever they lie and however many jobs work."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

OPTIONS = ["--demo_utterances", "100", "--ngpu", "0", "--train_tag", "tiny", "--stop_stage", "8"]
OPTIONS += ["--train_args", "--max_epoch 2 --frontend_conf model.num_hidden_layers=1"]
LIVES = {
    "one": (["--nj", "1"], {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC"}),
    "another one": (
        ["--nj", "2"],
        {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"},
    ),
}
RECORDS = {  # of the run, not of its result: places, times, commands
    *("prepared.json", "done.json", "begun.json", "scored.json", "scored_with.json"),
    *("checkpoint.pth", "checkpoint.previous.pth", "history.json", "data.json", "RESULTS.md"),
}


@pytest.fixture(scope="module")
def lives(root, tmp_path_factory) -> dict[str, Path]:
    """All stages, twice."""
    folders = {}
    for name, (options, environment) in LIVES.items():
        folders[name] = tmp_path_factory.mktemp(name)
        command = [str(root / "run.sh"), *OPTIONS, *options]
        for kind in ("data", "dump", "exp"):
            command += [f"--{kind}dir", str(folders[name] / kind)]
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            cwd=folders[name],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folders


def results(folder: Path) -> dict[str, bytes]:
    """All files but records, told by their place in ``folder`` and not by its own."""
    return {
        str(path.relative_to(folder)): path.read_bytes().replace(bytes(folder), b"HERE")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.name.endswith((".log", ".lock", ".done.json"))
        and path.name not in RECORDS
        and "tensorboard" not in path.parts
    }


@pytest.mark.parametrize(
    "kind",
    [
        *("dump/train/wav.1.ark", "dump/tokens/train_valid_bpe100/tokens.txt"),
        *("exp/stats_train_valid/labels.json", "exp/tiny/final.pth", "exp/tiny/results.json"),
        *("exp/tiny/inference/test/predictions.csv", "exp/tiny/demo_tiny.zip"),
    ],
)
def test_what_a_stage_leaves_is_the_same(lives, kind):
    one, other = (results(folder)[kind] for folder in lives.values())
    assert one == other


def test_every_other_file_is_the_same(lives):
    one, other = map(results, lives.values())
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_metrics_are_the_same(lives):
    one, other = (_history(folder / "exp" / "tiny" / "history.json") for folder in lives.values())
    assert len(one) == 2 and one == other


def _history(path: Path) -> list[dict[str, Any]]:
    """Without times and memory."""
    measured = ("time", "mem")
    return [
        {
            part: {k: v for k, v in values.items() if not any(word in k for word in measured)}
            for part, values in epoch.items()
            if isinstance(values, dict)
        }
        for epoch in json.loads(path.read_text())
    ]
