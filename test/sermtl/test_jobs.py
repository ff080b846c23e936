import os
import subprocess
import sys
import time

import pytest
import torch

from sermtl import jobs
from sermtl.errors import UserError


def starter(root, log, code):
    run_pl = [sys.executable, str(root / "utils" / "run.pl"), "--max-jobs-run", "2"]
    return [
        *run_pl,
        "JOB=1:2",
        str(log / "job.JOB.log"),
        sys.executable,
        "-c",
        code,
        "JOB",
        str(log),
    ]


def test_tells_the_status(root, tmp_path):
    assert jobs.run(starter(root, tmp_path, "")) == 0
    assert jobs.run(starter(root, tmp_path, "raise SystemExit(3)")) == 1


def test_a_missing_starter_is_named():
    with pytest.raises(UserError, match="--cmd nowhere: can't be run"):
        jobs.run(["nowhere", "log", "true"])


@pytest.mark.parametrize("cmd", ["", "a 'b", "nowhere/run.pl --x y"])
def test_what_is_no_command_is_refused(cmd):
    with pytest.raises(UserError, match=r"--cmd .*"):
        jobs.starter(cmd)


def test_interrupting_stops_every_job(root, tmp_path):
    """A starter that is killed outright would leave its jobs running."""
    code = """
import pathlib, sys, time
beat = pathlib.Path(sys.argv[2], "beat." + sys.argv[1])
while True:
    beat.write_text(str(time.time()))
    time.sleep(0.05)
"""
    beats = [tmp_path / f"beat.{job}" for job in (1, 2)]
    with (
        pytest.raises(KeyboardInterrupt),
        jobs.started(starter(root, tmp_path, code)),
    ):
        deadline = time.monotonic() + 30
        while not all(beat.exists() for beat in beats) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert all(beat.exists() for beat in beats)
        raise KeyboardInterrupt
    last = [beat.read_text() for beat in beats]
    time.sleep(0.5)
    assert [beat.read_text() for beat in beats] == last


@pytest.mark.parametrize("reaped", [True, False])
def test_a_job_ends_with_its_stage(root, tmp_path, reaped):
    """Killed outright, a stage can't stop its jobs; nor may its parent have noticed its death."""
    job = """
import pathlib, sys, time
from sermtl.jobs import end_with_stage
end_with_stage()
pathlib.Path(sys.argv[2], "beat." + sys.argv[1]).touch()
time.sleep(100)
"""
    stage = f"from sermtl import jobs; jobs.run({starter(root, tmp_path, job)!r})"
    process = subprocess.Popen([sys.executable, "-c", stage], cwd=root)
    beats = [tmp_path / f"beat.{number}" for number in (1, 2)]
    assert _comes_true(lambda: all(beat.exists() for beat in beats))
    process.kill()
    if reaped:
        process.wait()
    assert _comes_true(lambda: not _running(str(tmp_path)))
    process.wait()


def test_a_worker_ends_with_its_parent(root, tmp_path):
    """A pool's would wait for work for ever."""
    script = tmp_path / "parent.py"
    script.write_text("""
import multiprocessing, os, pathlib, sys, time
from concurrent.futures import ProcessPoolExecutor
from sermtl.jobs import end_with_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), end_with_parent)
    pathlib.Path(sys.argv[1]).write_text(str(pool.submit(os.getpid).result()))
    time.sleep(100)
""")
    told = tmp_path / "worker"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    parent = subprocess.Popen([sys.executable, str(script), str(told)], env=environment)
    assert _comes_true(lambda: told.exists() and told.read_text())
    parent.kill()
    parent.wait()
    assert _comes_true(lambda: not jobs._is_alive(int(told.read_text())))


def _comes_true(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def _running(word):
    """Processes that have it in their command line, and live."""
    done = subprocess.run(["ps", "-ww", "-eo", "stat,args"], capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if word in line and line[0] != "Z"]


def test_no_gpu_of_this_machine_gets_two_jobs(root):
    here, slurm = (str(root / "utils" / name) for name in ("run.pl", "slurm.pl"))
    assert [jobs.with_gpus(8, gpus, here) for gpus in (0, 2, 16)] == [8, 2, 8]
    assert jobs.with_gpus(8, 2, f"{slurm} --config my.conf") == 8


def test_gpus_are_taken_in_turn(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert jobs.device(0, 3) == "cpu"
    with pytest.raises(UserError, match="--ngpu 0"):
        jobs.device(1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [jobs.device(2, job) for job in (1, 2, 3)] == ["cuda:0", "cuda:1", "cuda:0"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)  # as a job of Slurm sees it
    assert [jobs.device(2, job) for job in (1, 2, 3)] == ["cuda:0"] * 3
