"""utils/run.pl as the stages and ESPnet's launcher call it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def run_pl(root: Path) -> str:
    return str(root / "utils" / "run.pl")


def run(run_pl: str, folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [run_pl, *arguments],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def alive(pid: int) -> bool:
    """Is the process there and not a zombie?"""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.02)


def test_log_of_a_job(run_pl: str, tmp_path: Path):
    done = run(
        run_pl, tmp_path, "--gpu", "0", "deep/er/x.log", "bash", "-c", "echo out; echo err >&2"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    lines = (tmp_path / "deep" / "er" / "x.log").read_text().splitlines()
    assert lines[0] == "# bash -c 'echo out; echo err >&2'"
    assert lines[1].startswith("# Running on ")
    assert lines[2].startswith("# Started at ")
    assert lines[4:6] == ["out", "err"]
    assert lines[6].startswith("# Ended (code 0) at ")


def test_arguments_arrive_as_they_are(run_pl: str, tmp_path: Path):
    words = ["a b", "$(touch evil)", "`x`", "", "|", "*", '"', "'", "a\nb", "&&", "ü", "--gpu"]
    program = "import json, sys; json.dump(sys.argv[1:], open('got', 'w'))"
    assert run(run_pl, tmp_path, "x.log", sys.executable, "-c", program, *words).returncode == 0
    assert json.loads((tmp_path / "got").read_text()) == words
    assert not (tmp_path / "evil").exists()


def test_array_with_a_failing_job(run_pl: str, tmp_path: Path):
    done = run(
        run_pl, tmp_path, "JOB=1:3", "JOB/x.JOB.log", "bash", "-c",
        "for i in $(seq 50); do echo line $i of JOB; done; touch did.JOB; "
        "exit $((JOB == 2 ? 5 : 0))",
    )  # fmt: skip
    assert done.returncode == 1
    assert "run.pl: job 2 of 3 failed (code 5), log: 2/x.2.log" in done.stderr
    assert "line 50 of 2" in done.stderr and "line 20 of 2" not in done.stderr
    assert "1 of 3 jobs failed" in done.stderr
    assert sorted(p.name for p in tmp_path.glob("did.*")) == ["did.1", "did.2", "did.3"]
    assert "# Ended (code 5)" in (tmp_path / "2" / "x.2.log").read_text()


def test_many_failures_show_few_tails(run_pl: str, tmp_path: Path):
    done = run(run_pl, tmp_path, "JOB=1:6", "x.JOB.log", "bash", "-c", "echo why JOB; exit 1")
    assert done.stderr.count("    why ") == 3
    assert done.stderr.count("failed (code 1)") == 6


def test_a_command_that_is_not_there(run_pl: str, tmp_path: Path):
    done = run(run_pl, tmp_path, "x.log", "./nothing", "a")
    assert done.returncode == 1
    assert "can't run ./nothing: No such file" in (tmp_path / "x.log").read_text()
    assert "(code 127)" in done.stderr


def test_a_log_that_cannot_be_written(run_pl: str, tmp_path: Path):
    (tmp_path / "file").write_text("")
    done = run(run_pl, tmp_path, "file/x.log", "true")
    assert done.returncode == 1
    assert "can't write the log" in done.stderr and "Traceback" not in done.stderr


def test_a_job_killed_by_a_signal(run_pl: str, tmp_path: Path):
    done = run(run_pl, tmp_path, "x.log", "bash", "-c", "kill -9 $$")
    assert done.returncode == 1
    assert "(signal 9)" in done.stderr


def test_what_a_failed_job_started_ends_with_it(run_pl: str, tmp_path: Path):
    run(run_pl, tmp_path, "x.log", "bash", "-c", "sleep 60 & echo $! >pid; exit 1")
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not alive(pid))


@pytest.mark.parametrize(("options", "most"), [(["--max-jobs-run", "2"], 2), ([], None)])
def test_how_many_run_at_once(run_pl: str, tmp_path: Path, options: list[str], most: int | None):
    most = most or len(os.sched_getaffinity(0))
    program = "touch on.JOB; sleep .15; ls on.* | wc -l >n.JOB; rm on.JOB"
    done = run(run_pl, tmp_path, *options, "JOB=1:6", "x.JOB.log", "bash", "-c", program)
    assert done.returncode == 0
    assert max(int(p.read_text()) for p in tmp_path.glob("n.*")) <= most


def test_threads(run_pl: str, tmp_path: Path):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}

    def threads(*arguments: str, **more: str) -> str:
        subprocess.run(
            [run_pl, *arguments, "bash", "-c", 'echo "${OMP_NUM_THREADS-unset}" >threads'],
            cwd=tmp_path, env={**environment, **more}, check=True,
        )  # fmt: skip
        return (tmp_path / "threads").read_text().strip()

    assert threads("x.log") == "unset"  # one job: all cores
    assert threads("JOB=1:2", "x.JOB.log") == "1"
    assert threads("--num-threads", "3", "x.log") == "3"
    assert threads("JOB=1:2", "x.JOB.log", OMP_NUM_THREADS="5") == "5"


def test_gpus_are_dealt_to_the_jobs_of_an_array(run_pl: str, tmp_path: Path):
    program = 'echo "$CUDA_VISIBLE_DEVICES" >gpu.JOB; sleep .3'
    arguments = ["--gpu", "1", "JOB=1:2", "x.JOB.log", "bash", "-c", program]
    assert run(run_pl, tmp_path, *arguments, CUDA_VISIBLE_DEVICES="3,5").returncode == 0
    assert {(tmp_path / f"gpu.{i}").read_text().strip() for i in (1, 2)} == {"3", "5"}
    done = run(run_pl, tmp_path, *arguments, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1 and "each job wants 1 GPU(s)" in done.stderr
    arguments = ["--gpu", "2", "x.log", "bash", "-c", 'echo "$CUDA_VISIBLE_DEVICES" >gpu']
    assert run(run_pl, tmp_path, *arguments, CUDA_VISIBLE_DEVICES="7,6,5").returncode == 0
    assert (tmp_path / "gpu").read_text().strip() == "7,6,5"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_takes_all_children_down(run_pl: str, tmp_path: Path, number: int):
    # The second job, as a child of a child, would survive a signal to its parent alone.
    program = "sleep 60 & echo $! >part.JOB; mv part.JOB pid.JOB; wait"
    process = subprocess.Popen(
        [run_pl, "--max-jobs-run", "2", "JOB=1:3", "x.JOB.log", "bash", "-c", program],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: len(list(tmp_path.glob("pid.*"))) == 2)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert f"stopped by {signal.Signals(number).name}" in said
    for path in tmp_path.glob("pid.*"):
        pid = int(path.read_text())
        until(lambda pid=pid: not alive(pid))
    assert not (tmp_path / "x.3.log").exists()
    assert "# Ended (signal 15)" in (tmp_path / "x.1.log").read_text()


def test_a_job_that_ignores_the_request_is_killed_on_the_second(run_pl: str, tmp_path: Path):
    process = subprocess.Popen(
        [run_pl, "x.log", "bash", "-c", "trap '' TERM; echo $$ >part; mv part pid; "
         "while :; do sleep .1; done"],
        cwd=tmp_path, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: (tmp_path / "pid").exists())
    process.terminate()
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=5) == 128 + signal.SIGTERM
    assert not alive(int((tmp_path / "pid").read_text()))


def test_closed_standard_input(run_pl: str, tmp_path: Path):
    done = subprocess.run(["bash", "-c", f"'{run_pl}' x.log cat <&-"], cwd=tmp_path, timeout=20)
    assert done.returncode == 0


def test_usage(run_pl: str, tmp_path: Path):
    assert run(run_pl, tmp_path, "--help").stdout.startswith("usage: run.pl [options]")
    done = run(run_pl, tmp_path, "--gpus", "1", "x.log", "true")
    assert (done.returncode, done.stderr) == (
        1,
        "run.pl: error: unknown option --gpus; did you mean --gpu?\n",
    )


def test_espnet_launcher(run_pl: str, tmp_path: Path):
    """The launcher's own way of calling, on one node without a GPU."""
    launch = [sys.executable, "-m", "espnet2.bin.launch", "--cmd", f"{run_pl} --name x",
              "--log", "exp/train.log", "--ngpu", "0", "--num_nodes", "1", "--"]  # fmt: skip
    subprocess.run([*launch, "echo", "a b", "$HOME"], cwd=tmp_path, check=True, timeout=60)
    log = (tmp_path / "exp" / "train.log").read_text()
    assert "\na b $HOME --ngpu 0 --multiprocessing_distributed True\n" in log
