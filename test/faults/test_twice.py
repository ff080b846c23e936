"""Of two runs in the same folder the second is refused at once, and told which the first one is."""

from __future__ import annotations

import os
import signal
import socket

import pytest
import small_training
from small_pipeline import EXP, STAGES, wait_for_file
from tiny_corpus import arguments
from wholeness import differences

FINISHED = (1, 3, 4, 8)  # the quick ones: the first run goes on to its end
LOCKS = {
    1: "dump/.lock",
    2: "dump/.lock",
    3: "dump/tokens/bpe/.lock",
    4: "exp/stats/.lock",
    5: f"{EXP}/.stage.lock",
    6: f"{EXP}/inference/test/.lock",
    7: f"{EXP}/.score.lock",
    8: f"{EXP}/.demo_tiny.lock",
}


@pytest.fixture(params=STAGES, ids=lambda stage: f"stage{stage}")
def first(request, reference, tmp_path):
    """A stage at work, which has its folder and stands still."""
    stage = request.param
    pipeline = reference.before(stage, tmp_path / "run")
    lock = pipeline.folder / LOCKS[stage]
    with pipeline.start(stage) as process:
        while not lock.exists() or f"process {process.pid} " not in lock.read_text():
            assert process.poll() is None
        process.send_signal(signal.SIGSTOP)
        yield stage, pipeline, process
        pipeline.kill_all()


def test_the_second_is_refused_and_harms_nobody(first, reference, long_form):
    stage, pipeline, process = first
    refusal = pipeline.refused(stage)
    name = f"process {process.pid} on {socket.gethostname()}, since 20"
    assert "error: another run is at work in " in refusal and name in refusal
    assert f"sermtl.bin.{STAGES[stage]}" in refusal  # its command
    if stage in FINISHED or long_form:
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate()
        assert process.returncode == 0, output
        assert not differences(pipeline.folder, reference.after(stage))


def test_two_experiments_share_their_data(reference, tmp_path):
    pipeline = reference.before(5, tmp_path / "run")
    for name in ("tiny", "other"):
        process = pipeline.start(5, "--expdir", f"exp/{name}")
        wait_for_file(pipeline.folder, f"exp/{name}/train.log", lambda p=process: p.poll() is None)
    pipeline.kill_all()


def test_a_training_refuses_another_one(training_data, tmp_path):
    options = arguments(training_data, tmp_path / "exp", max_epoch=2)
    first = small_training.start(options, tmp_path / "first.log")
    wait_for_file(tmp_path, "exp/1epoch.pth", first.is_alive)
    os.kill(first.pid, signal.SIGSTOP)
    second = small_training.start(options, tmp_path / "second.log")
    second.join()
    os.kill(first.pid, signal.SIGCONT)
    first.join()
    assert (first.exitcode, second.exitcode) == (0, 1)
    assert f"process {first.pid} on {socket.gethostname()}" in (tmp_path / "second.log").read_text()
