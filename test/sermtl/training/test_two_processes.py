"""Training in two processes, as ESPnet's launcher starts them on two hosts."""

import json
import subprocess
import sys

import pytest
import torch
from tiny_corpus import arguments, write

from sermtl.training import checkpoint
from sermtl.training.task import SERTask

CHANGES = {"max_epoch": 2, "model_conf": {"dropout": 0.0}}


def train_in_two(root, data, output, **changes):
    """Both ranks, to their end."""
    init = output / f"init{len(list(output.glob('init*')))}" if output.exists() else output / "init"
    command = [sys.executable, "-m", "sermtl.bin.ser_train", *arguments(data, output, **changes)]
    command += ["--multiprocessing_distributed", "false", "--dist_world_size", "2"]
    command += ["--dist_backend", "gloo", "--dist_init_method", f"file://{init}"]
    ranks = [
        subprocess.Popen(
            [*command, "--dist_rank", str(rank)], cwd=root, stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    for rank in ranks:
        _, log = rank.communicate(timeout=240)
        assert rank.returncode == 0, log[-3000:]


def test_equals_one_process(root, tmp_path):
    write(tmp_path / "data", train=14, valid=5)  # the last batch has a row for each rank
    SERTask.main(cmd=arguments(tmp_path / "data", tmp_path / "one", **CHANGES))
    train_in_two(root, tmp_path / "data", tmp_path / "two", **CHANGES)

    histories = [
        json.loads((tmp_path / name / "history.json").read_text()) for name in ("one", "two")
    ]
    for one, two in zip(*histories, strict=True):
        for phase, names in (("train", ["loss", "loss_asr"]), ("valid", ["loss", "macro_f1"])):
            for name in names:
                assert two[phase][name] == pytest.approx(one[phase][name], rel=1e-4), name
    states = [
        checkpoint.load(tmp_path / name / "checkpoint.pth")["model"] for name in ("one", "two")
    ]
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, atol=1e-4, rtol=1e-3, msg=name)


def test_resuming_two_processes_is_exact(root, tmp_path):
    """With dropout, another on each rank, and the queue."""
    write(tmp_path / "data", train=14, valid=5)
    train_in_two(root, tmp_path / "data", tmp_path / "whole", max_epoch=2)
    for epochs in (1, 2):
        train_in_two(root, tmp_path / "data", tmp_path / "parts", max_epoch=epochs)
    one, other = (
        checkpoint.load(tmp_path / name / "checkpoint.pth")["model"] for name in ("whole", "parts")
    )
    assert one["swfc.queue_labels"].ge(0).any()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
