"""Training in two processes, as ESPnet's launcher starts them on two hosts or for two GPUs."""

import json
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from ranks import left_of, started
from tiny_corpus import CONF, arguments, write
from training_rank import train

from sermtl.errors import UserError
from sermtl.training import checkpoint
from sermtl.training.conf import merge
from sermtl.training.experiment import Experiment, Launcher
from sermtl.training.task import SERTask

SECONDS = 4  # --dist_timeout


@contextmanager
def two(data, output, failing=None, failure=0, **changes):
    """Both ranks, of which one may fail in its second epoch."""
    options = arguments(data, output, **{"dist_timeout": SECONDS, **changes})
    meeting = output / f"meeting{len(list(output.glob('meeting*')))}"  # must be a new one
    options += ["--multiprocessing_distributed", "false", "--dist_world_size", "2"]
    options += ["--dist_backend", "gloo", "--dist_init_method", f"file://{meeting}"]
    with started(train, 2, output / "logs", options, failing, failure) as ranks:
        yield ranks


def log(output, rank):
    return (output / "logs" / f"{rank}.log").read_text()


def train_to_the_end(data, output, **changes):
    with two(data, output, **changes) as ranks:
        for rank, process in enumerate(ranks):
            process.join(120)
            assert process.exitcode == 0, log(output, rank)[-3000:]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder, train=15, valid=5)  # the last batch has two rows for one rank, one for the other
    return folder


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    """Two epochs with dropout, another on each rank, and the queue."""
    output = tmp_path_factory.mktemp("undisturbed")
    train_to_the_end(data, output, max_epoch=2, num_workers=1)
    return output


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"accum_grad": 2, "max_epoch": 6, "model_conf": {"swfc": {"queue_size": 0}}},
        {"valid_batch_size": 5},  # a batch for one rank, none for the other
    ],
)
def test_equals_one_process(data, tmp_path, changes):
    changes = merge({"max_epoch": 3, "model_conf": {"dropout": 0.0}}, changes)
    SERTask.main(cmd=arguments(data, tmp_path / "one", **changes))
    train_to_the_end(data, tmp_path / "two", **changes)

    histories = [
        json.loads((tmp_path / name / "history.json").read_text()) for name in ("one", "two")
    ]
    for one, two in zip(*histories, strict=True):
        for phase in ("train", "valid"):
            for name, value in one[phase].items():
                if not name.endswith("time"):
                    assert two[phase][name] == pytest.approx(value, abs=1e-5, rel=1e-5), name
    states = [
        checkpoint.load(tmp_path / name / "checkpoint.pth")["model"] for name in ("one", "two")
    ]
    torch.testing.assert_close(states[1], states[0], atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("failing", [0, 1])
def test_a_death_ends_both_and_resuming_is_exact(data, undisturbed, tmp_path, failing):
    options = {"max_epoch": 2, "num_workers": 1}
    with two(data, tmp_path, failing, signal.SIGKILL, **options) as ranks:
        ranks[1 - failing].join(120)
        assert ranks[1 - failing].exitcode == 1
        for process in ranks:
            assert not left_of(process, patience=10)
    assert f"has died: rank {failing} of 2 (" in log(tmp_path, 1 - failing).splitlines()[-1]
    assert not (tmp_path / "2epoch.pth").exists()
    (
        tmp_path / ".checkpoint.pth.x1y2z3.unfinished"
    ).touch()  # as if it had been killed while it saved

    train_to_the_end(data, tmp_path, **options)
    assert "resumed from" in log(tmp_path, 0)
    assert not list(tmp_path.glob(".*.pth.*"))
    whole, parts = (
        checkpoint.load(folder / "checkpoint.pth")["model"] for folder in (undisturbed, tmp_path)
    )
    assert whole["swfc.queue_labels"].ge(0).any()
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name


def test_a_hanging_one_ends_the_other_in_time(data, tmp_path):
    options = {"max_epoch": 2, "num_workers": 1}
    with two(data, tmp_path, 1, signal.SIGSTOP, **options) as ranks:
        ranks[0].join(120)
        assert ranks[0].exitcode == 1
        assert not left_of(ranks[0], patience=10)
    assert "has not answered for 4 s (--dist_timeout): rank 1 of 2" in log(tmp_path, 0)


def test_no_time_at_all_is_refused(data, tmp_path):
    with two(data, tmp_path, dist_timeout=0) as ranks:
        for process in ranks:
            process.join(120)
            assert process.exitcode == 1
    assert "error: dist_timeout: 0, but one second" in log(tmp_path, 1)


def test_a_single_process_refuses_no_time_too(data, tmp_path):
    """Its next run may be one of several."""
    with pytest.raises(UserError, match="dist_timeout: 0, but one second"):
        SERTask.main(cmd=arguments(data, tmp_path / "exp", dist_timeout=0))


def test_what_one_cannot_read_is_told_by_both(tmp_path):
    write(tmp_path / "data", train=15, valid=5)
    ark = tmp_path / "data" / "train" / "wav.ark"
    ark.write_bytes(ark.read_bytes().replace(b"RIFF", b"\0\0\0\0", 1))  # the first one's clip
    with two(tmp_path / "data", tmp_path, num_workers=1) as ranks:
        for process in ranks:
            process.join(120)
            assert process.exitcode == 1
            assert not left_of(process, patience=10)
    lines = {log(tmp_path, rank).splitlines()[-1] for rank in range(2)}
    assert len(lines) == 1
    assert "train00: " in (line := lines.pop()) and "not a wav of 16 kHz, mono, 16 bit" in line
    assert "train00" in log(tmp_path, 0) + log(tmp_path, 1)


def test_death_of_a_gpus_process_is_told_on_the_console(data, root, tmp_path, monkeypatch):
    """From the stage, through ESPnet's launcher, run.pl and ESPnet's own start of processes."""
    starter = tmp_path / "run.pl"
    starter.write_text(
        f"""#!{sys.executable}
import os, sys
script = {str(Path(__file__).with_name("two_cpus.py"))!r}
words = " ".join(sys.argv[1:]).replace("-m sermtl.bin.ser_train", script).split()
os.execv(sys.executable, [sys.executable, {str(root / "utils" / "run.pl")!r}, *words])
"""
    )
    starter.chmod(0o755)
    monkeypatch.setenv("SERMTL_TEST", str(tmp_path))  # the mark of what it starts
    conf = merge(CONF, {"max_epoch": 2, "num_workers": 1})
    experiment = Experiment(tmp_path / "exp", conf, data, data / "tokens", {})
    experiment.prepare()
    launcher = Launcher(str(starter), ngpu=2, num_nodes=1, dist_timeout=60)
    with pytest.raises(UserError, match=r"failed: rank 1 of 2 \(.*\) was killed by SIGKILL"):
        experiment.train(launcher)
    assert "--dist_timeout 60" in (tmp_path / "exp" / "train.log").read_text()
    assert (tmp_path / "exp" / "1epoch.pth").exists() and not experiment.is_trained
    assert not _marked(f"SERMTL_TEST={tmp_path}")


def _marked(variable):
    """Processes with a variable in their environment, but for this one."""
    return [
        folder.name
        for folder in Path("/proc").glob("[0-9]*")
        if int(folder.name) != os.getpid() and variable in _environment(folder)
    ]


def _environment(folder):
    try:
        return (folder / "environ").read_text(errors="replace").split("\0")
    except OSError:  # another user's, or it has just ended
        return []
