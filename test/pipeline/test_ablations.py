"""run.sh --ablations: every system by run.sh itself, then the paper's tables."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from experiment_folders import Experiment

from sermtl.scoring.ablation import ABLATIONS

SYSTEMS = {"proposed": "base", **{name: f"base_{name}" for name in ABLATIONS}}


@pytest.fixture
def command(root: Path, tmp_path: Path) -> list[str]:
    """Nine systems whose answers are there, so that scoring and the tables are left to do."""
    for seed, (name, tag) in enumerate(SYSTEMS.items()):
        experiment = Experiment(tmp_path, tag)
        experiment.add_set("train")
        experiment.add_set("valid")
        experiment.add_set("test")
        experiment.add_predictions(experiment.exp, "test", seed=seed)
        mixing = "last" if name == "last_layer" else "learnable"
        (experiment.exp / "conf.yaml").write_text(f"model_conf: {{layer_mixing: {mixing}}}")
    (tmp_path / "base.yaml").write_text("max_epoch: 1")
    command = [str(root / "run.sh"), "--recipe", "custom", "--ablations", "--stage", "7"]
    for name in ("data", "dump", "exp"):
        command += [f"--{name}dir", str(tmp_path / name)]
    return [*command, "--train_config", "base.yaml", "--ngpu", "0"]


def test_tables_of_all_systems(command: list[str], tmp_path: Path):
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    figures = json.loads((tmp_path / "exp" / "base" / "ablations.json").read_text())
    assert list(figures) == list(SYSTEMS)
    for name, tag in SYSTEMS.items():
        results = json.loads((tmp_path / "exp" / tag / "results.json").read_text())
        assert figures[name]["test"]["macro_f1"] == results["test"]["macro_f1"]
    page = (tmp_path / "exp" / "base" / "ABLATIONS.md").read_text()
    for name in ("Ours w/o co-attention", "Learnable", "Last", "--ablations --stage 7"):
        assert name in page
    wer = figures["ser_asr"]["test"]["wer"]
    assert f"{100 * wer['value']:.1f} [{100 * wer['low']:.1f}, {100 * wer['high']:.1f}]" in page

    shutil.rmtree(tmp_path / "exp" / "base_wo_swfc" / "inference")
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1].startswith("error: wo_swfc failed")
    assert "run stage 6" in again.stderr
    assert "wo_coattention (4 of 9)" in again.stdout and "last_layer (6" not in again.stdout


def test_what_would_spoil_the_tables_is_refused(command: list[str], tmp_path: Path):
    undo = [*command, "--train_args", "--model_conf layer_mixing=concat"]
    done = subprocess.run(undo, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "undoes" in done.stderr and "last_layer.yaml: leave it out" in done.stderr
    unscored = [*command, "--skip_eval", "true"]
    done = subprocess.run(unscored, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "the tables need stage 7" in done.stdout
    assert not (tmp_path / "exp" / "base" / "ABLATIONS.md").exists()
