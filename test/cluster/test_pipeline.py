"""The pipeline through utils/slurm.pl on a real Slurm, against the same on this machine alone."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_whisper import write_checkpoint
from two_nodes import Cluster

EPOCHS = 10
TRAIN_ARGS = "--frontend_conf model.num_hidden_layers=1 --model_conf dropout=0"


class Pipeline:
    """run.sh in the cluster's folder, on a very small demo corpus."""

    def __init__(self, root: Path, cluster: Cluster) -> None:
        self.folder = cluster.folder
        self.command = [str(root / "run.sh"), "--demo_utterances", "100", "--ngpu", "0"]
        for name in ("data", "dump", "exp"):
            self.command += [f"--{name}dir", name]
        self.command += ["--train_args", f"--max_epoch {EPOCHS} {TRAIN_ARGS}"]
        conf = root / "conf" / "slurm.conf"
        self.slurm = ["--cmd", f"{shlex.quote(cluster.slurm_pl)} --config {shlex.quote(str(conf))}"]

    def start(self, stages: str, *options: str) -> subprocess.Popen:
        """Stages from one to another (``1-4``)."""
        first, _, last = stages.partition("-")
        return subprocess.Popen(
            [*self.command, "--stage", first, "--stop_stage", last or first, *options],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, stages: str, *options: str, status: int = 0) -> str:
        """To the end; returns what it said."""
        process = self.start(stages, *options)
        said, _ = process.communicate(timeout=240)
        assert process.returncode == status, said[-3000:]
        return said

    def history(self, tag: str) -> list[dict[str, Any]]:
        """Figures of the epochs so far."""
        file = self.folder / "exp" / tag / "history.json"
        return json.loads(file.read_text()) if file.exists() else []


@pytest.fixture(scope="module")
def pipeline(root: Path, cluster: Cluster) -> Pipeline:
    """Its data prepared."""
    pipeline = Pipeline(root, cluster)
    pipeline.run("1-4")
    return pipeline


@pytest.fixture(scope="module")
def trained(pipeline: Pipeline) -> str:
    """Tag of an experiment that one process trained."""
    pipeline.run("5", "--train_tag", "one")
    return "one"


def test_transcription(pipeline: Pipeline):
    options = ["--whisper_model", str(write_checkpoint(pipeline.folder / "tiny.en.pt"))]
    options += ["--train_set", "valid", "--nj", "2"]  # valid and test are enough
    for dump, cmd in (("here", []), ("there", pipeline.slurm)):
        shutil.copytree(pipeline.folder / "dump", pipeline.folder / dump)
        pipeline.run("2", "--dumpdir", dump, *options, *cmd)
    for name in ("valid", "test"):
        here, there = (
            (pipeline.folder / dump / name / "whisper.jsonl").read_text()
            for dump in ("here", "there")
        )
        assert here == there
        corpus = (pipeline.folder / "dump" / name / "text").read_text()
        assert here.count("\n") == corpus.count("\n") > 0


def test_training_on_two_nodes(pipeline: Pipeline, trained: str, cluster: Cluster):
    """Killed, cancelled by others, continued: and in the end as one process would have it."""
    options = ("--train_tag", "two", "--num_nodes", "2", *pipeline.slurm)

    def until_epoch(number: int) -> subprocess.Popen:
        process = pipeline.start("5", *options)
        cluster.until(lambda: len(pipeline.history("two")) >= number or process.poll(), 120)
        assert process.poll() is None, process.stdout.read()
        return process

    process = until_epoch(2)
    assert cluster.queue("train", "%N") == ["n[1-2]"]
    training = [
        (environment["SLURMD_NODENAME"], environment["SLURM_PROCID"])
        for command, environment in cluster.processes()
        if command[1:3] == ["-m", "sermtl.bin.ser_train"]
    ]
    assert set(training) == {("n1", "0"), ("n2", "1")}
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 143
    cluster.until_left()

    process = until_epoch(4)
    cluster.ask("scancel", "--name", "train")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: training failed: slurm.pl: job failed (Slurm state CANCELLED)" in said
    assert len(pipeline.history("two")) < EPOCHS

    pipeline.run("5", *options)
    one, two = pipeline.history(trained), pipeline.history("two")
    assert len(one) == len(two) == EPOCHS
    for expected, found in zip(one, two, strict=True):
        for phase in ("train", "valid"):
            for name, value in expected[phase].items():
                if not name.endswith("time"):
                    assert found[phase][name] == pytest.approx(value, rel=1e-4, abs=1e-4), name


def test_inference(pipeline: Pipeline, trained: str):
    tables, embeddings = [], []
    for tag, options in (("here", []), ("there", ["--inference_nj", "2", *pipeline.slurm])):
        pipeline.run("6", "--train_tag", trained, "--inference_tag", tag, *options)
        folder = pipeline.folder / "exp" / trained / f"inference_{tag}" / "test"
        tables.append((folder / "predictions.csv").read_bytes())
        embeddings.append(np.load(folder / "speaker_embeddings.npz"))
    assert tables[0] == tables[1]
    for name in ("ids", "embeddings"):
        np.testing.assert_array_equal(embeddings[0][name], embeddings[1][name])


@pytest.mark.parametrize(
    ("tag", "args", "cmd", "message"),
    [
        ("conf", "--model_conf swfc.tau=-1", "", "error: training failed: model_conf: tau must be"),
        ("size", "", " --mem 999G", "sbatch: error: Memory specification can not be satisfied"),
    ],
)
def test_what_is_wrong_is_told(pipeline: Pipeline, tag: str, args: str, cmd: str, message: str):
    """By the training processes, or by Slurm."""
    options = ["--train_tag", tag, "--train_args", args, "--num_nodes", "2"]
    said = pipeline.run("5", *options, "--cmd", pipeline.slurm[1] + cmd, status=1)
    assert message in said and "Traceback" not in said
