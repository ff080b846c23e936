"""utils/slurm.pl against a pretended Slurm (fake_slurm.py)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import slurm_jobs


class Cluster:
    """A folder with the pretended commands on PATH."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.slurm_pl = str(root / "utils" / "slurm.pl")
        self.folder = folder / "work dir"
        self.folder.mkdir()
        self.state = folder / "state"
        self.state.mkdir()
        commands = folder / "bin"
        commands.mkdir()
        for name in ("sbatch", "squeue", "sacct", "scancel"):
            path = commands / name
            path.write_text((root / "test" / "utils" / "fake_slurm.py").read_text())
            path.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FAKE_SLURM": str(self.state),
        }

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.slurm_pl, *arguments],
            cwd=self.folder,
            env={**self.environment, **env},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def calls(self, program: str) -> list[list[str]]:
        lines = [json.loads(line) for line in (self.state / "calls").read_text().splitlines()]
        return [line[1:] for line in lines if line[0] == program]


@pytest.fixture
def cluster(root: Path, tmp_path: Path) -> Cluster:
    return Cluster(root, tmp_path)


@pytest.fixture
def quick(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """For calls inside this process, with short waits."""
    monkeypatch.setattr(slurm_jobs, "FILE_SECONDS", 0.05)
    monkeypatch.setattr(slurm_jobs, "QUEUE_SECONDS", 0.2)
    monkeypatch.setattr(slurm_jobs, "LOST_SECONDS", 1.0)
    monkeypatch.chdir(cluster.folder)
    for name in ("PATH", "FAKE_SLURM"):
        monkeypatch.setenv(name, cluster.environment[name])
    return cluster


def test_one_job(cluster: Cluster):
    words = ["a b", "$(touch evil)", "", "'", '"', "JOB", "|"]
    program = "import json, sys; json.dump(sys.argv[1:], open('got', 'w')); print('hello')"
    done = cluster.run("exp/100%/train.log", sys.executable, "-c", program, *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((cluster.folder / "got").read_text()) == words
    log = (cluster.folder / "exp" / "100%" / "train.log").read_text()
    assert log.startswith("# /")
    assert "\nhello\n# Ended (code 0) at " in log
    assert not (cluster.folder / "evil").exists()


def test_array(cluster: Cluster):
    done = cluster.run(
        "--max-jobs-run", "2", "JOB=2:4", "log/x.JOB.log",
        "bash", "-c", "echo shard JOB of $1 >JOB.out", "x", "n.JOB",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [(cluster.folder / f"{i}.out").read_text() for i in (2, 3, 4)] == [
        f"shard {i} of n.{i}\n" for i in (2, 3, 4)
    ]
    (call,) = cluster.calls("sbatch")
    assert call[call.index("--array") + 1] == "2-4%2"
    assert call[call.index("--output") + 1] == "log/x.%a.log"


def test_array_in_folders_of_their_own(cluster: Cluster):
    done = cluster.run("JOB=1:2", "log.JOB/x.log", "bash", "-c", "exit $((JOB - 1))")
    assert done.returncode == 1
    assert "job 2 of 2 failed (code 1), log: log.2/x.log" in done.stderr
    assert "job 1 of 2" not in done.stderr


def test_failure(cluster: Cluster):
    done = cluster.run(
        "JOB=1:3", "x.JOB.log", "bash", "-c", "echo reason JOB; exit $((JOB == 3 ? 7 : 0))"
    )
    assert done.returncode == 1
    assert "job 3 of 3 failed (code 7), log: x.3.log" in done.stderr
    assert "    reason 3" in done.stderr
    assert "1 of 3 jobs failed" in done.stderr


def test_a_second_run_does_not_read_the_first_ones_status(cluster: Cluster):
    assert cluster.run("x.log", "false").returncode == 1
    assert cluster.run("x.log", "true").returncode == 0


def test_options_become_sbatch_options(cluster: Cluster):
    done = cluster.run(
        "--gpu", "2", "--num_threads", "4", "--mem", "8G", "--time", "1:30:00", "--num-nodes", "2",
        "--name", "my job", "x.log", "true",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (call,) = cluster.calls("sbatch")
    assert call[0] == "--parsable" and "--array" not in call
    text = " ".join(call)
    for part in (
        "--gres=gpu:2",
        "--cpus-per-task 4",
        "--mem 8G",
        "--time 1:30:00",
        "--nodes 2 --ntasks-per-node 1",
        "--job-name my job",
        "--open-mode append",  # a task that is queued again keeps its log
    ):
        assert part in text
    cluster.run("train.log", "true")
    text = " ".join(cluster.calls("sbatch")[1])
    assert "--gres" not in text and "--job-name train" in text


def test_what_srun_is_told(cluster: Cluster):
    program = "echo cores $SRUN_CPUS_PER_TASK, kill $SLURM_KILL_BAD_EXIT"
    assert cluster.run("x.log", "bash", "-c", program).returncode == 0
    assert "\ncores 2, kill 1\n" in (cluster.folder / "x.log").read_text()


def test_inside_another_job(cluster: Cluster):
    """The new job's srun would take the old one's memory for its own, and refuse both."""
    program = 'echo "memory ${SLURM_MEM_PER_CPU-}, ${SRUN_DEBUG-}, $SLURM_CONF, $MINE"'
    outer = {"SLURM_JOB_ID": "1", "SLURM_MEM_PER_CPU": "9", "SRUN_DEBUG": "3"}
    done = cluster.run("x.log", "bash", "-c", program, **outer, SLURM_CONF="conf", MINE="kept")
    assert done.returncode == 0
    assert "\nmemory , , conf, kept\n" in (cluster.folder / "x.log").read_text()


def test_own_configuration(cluster: Cluster):
    (cluster.folder / "my.conf").write_text(
        "# ours\ncommand sbatch --export ALL\ndefault gpu=0\noption gpu=0 -p cpu # no GPU\n"
        "option gpu=* -p gpu --gres=gpu:$0\noption account=* --account '$0 x'\n"
    )
    done = cluster.run("--account", "me", "--config", "my.conf", "x.log", "true")
    assert done.returncode == 0, done.stderr
    (call,) = cluster.calls("sbatch")
    assert call[:3] == ["--export", "ALL", "--parsable"]
    assert " ".join(call[call.index("-p") :]).startswith("-p cpu --account me x")
    done = cluster.run("--config", "my.conf", "--mem", "4G", "x.log", "true")
    assert done.returncode == 1 and "my.conf has no rule for --mem 4G" in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [("option gpu -p x\n", "bad.conf:1: not a"), ("option a=* '\n", "bad.conf:1: No closing"),
     ("# x\n", "'command sbatch' is missing")],
)  # fmt: skip
def test_wrong_configuration(cluster: Cluster, text: str, message: str):
    (cluster.folder / "bad.conf").write_text(text)
    done = cluster.run("--config", "bad.conf", "x.log", "true")
    assert done.returncode == 1 and message in done.stderr
    done = cluster.run("--config", "none.conf", "x.log", "true")
    assert done.returncode == 1 and "can't read none.conf" in done.stderr


def test_unknown_option(cluster: Cluster):
    done = cluster.run("--accounts", "me", "x.log", "true")
    assert done.returncode == 1 and "unknown option --accounts" in done.stderr


def test_a_refused_job(cluster: Cluster):
    done = cluster.run("x.log", "true", FAKE_SLURM_REFUSE="sbatch")
    assert done.returncode == 1
    assert "sbatch did not take the job: sbatch: error: Batch job" in done.stderr


def test_without_slurm(cluster: Cluster):
    done = cluster.run("x.log", "true", PATH=str(Path(sys.executable).parent))
    assert done.returncode == 1 and "can't run sbatch" in done.stderr


def interrupted(cluster: Cluster, number: int, **env: str) -> tuple[int, str]:
    """Exit status and stderr of a request of two jobs that gets a signal."""
    process = subprocess.Popen(
        [cluster.slurm_pl, "JOB=1:2", "x.JOB.log", "sleep", "60"],
        cwd=cluster.folder, env={**cluster.environment, **env}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while len(list(cluster.state.glob("job.*.pid"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancellation(cluster: Cluster, number: int):
    status, said = interrupted(cluster, number)
    assert status == 128 + number
    assert "Slurm job 4711 cancelled" in said
    assert cluster.calls("scancel") == [["4711"]]


def test_a_cancellation_that_fails_is_told(cluster: Cluster):
    status, said = interrupted(cluster, signal.SIGTERM, FAKE_SLURM_REFUSE="scancel")
    for path in cluster.state.glob("job.*.pid"):
        os.killpg(int(path.read_text()), signal.SIGKILL)
    assert status == 1
    assert "scancel 4711 failed, the job may go on: scancel: error: Kill job error" in said


def test_a_lost_task_is_a_failure(quick: Cluster, monkeypatch, capfd):
    monkeypatch.setenv("FAKE_SLURM_LOSE", "2")
    (quick.state / "busy").write_text("")  # one question remains unanswered: not a reason to fail
    assert slurm_jobs.run_slurm_jobs(["JOB=1:3", "x.JOB.log", "true"]) == 1
    said = capfd.readouterr().err
    assert "job 2 of 3 failed (left the queue without an exit status)" in said
    assert "1 of 3 jobs failed" in said


def test_the_accounting_says_why(quick: Cluster, monkeypatch, capfd):
    monkeypatch.setattr(slurm_jobs, "LOST_SECONDS", 60.0)
    monkeypatch.setenv("FAKE_SLURM_LOSE", "1 2")
    monkeypatch.setenv("FAKE_SLURM_STATES", "4711_1|TIMEOUT 4711_2|COMPLETED 4711_3|COMPLETED")
    assert slurm_jobs.run_slurm_jobs(["JOB=1:3", "x.JOB.log", "true"]) == 1
    said = capfd.readouterr().err
    assert "job 1 of 3 failed (Slurm state TIMEOUT)" in said
    assert "1 of 3 jobs failed" in said


def test_the_queue_says_why_without_accounting(quick: Cluster, monkeypatch, capfd):
    monkeypatch.setattr(slurm_jobs, "LOST_SECONDS", 60.0)
    monkeypatch.setenv("FAKE_SLURM_LOSE", "1 2")
    monkeypatch.setenv("FAKE_SLURM_ENDED", "1 CANCELLED,2 COMPLETED")
    assert slurm_jobs.run_slurm_jobs(["JOB=1:3", "x.JOB.log", "true"]) == 1
    said = capfd.readouterr().err
    assert "job 1 of 3 failed (Slurm state CANCELLED)" in said
    assert "1 of 3 jobs failed" in said
    assert not quick.calls("sacct")


def test_the_folder_of_the_status_files_is_away(quick: Cluster, monkeypatch, capfd):
    monkeypatch.setenv("FAKE_SLURM_ENDED", "N/A FAILED")
    assert slurm_jobs.run_slurm_jobs(["x.log", "rm", "-r", "q"]) == 1
    assert "job failed (Slurm state FAILED)" in capfd.readouterr().err


def test_a_long_task_is_waited_for(quick: Cluster):
    assert slurm_jobs.run_slurm_jobs(["x.log", "sleep", "1.5"]) == 0
    assert quick.calls("squeue")


def test_espnet_launcher_over_two_nodes(cluster: Cluster):
    """The launcher puts srun before the command when its CMD is called slurm.pl."""
    srun = cluster.state.parent / "bin" / "srun"
    srun.write_text('#!/bin/sh\nshift\nexec "$@"\n')
    srun.chmod(0o755)
    launch = [sys.executable, "-m", "espnet2.bin.launch", "--cmd", f"{cluster.slurm_pl} --name x",
              "--log", "exp/train.log", "--ngpu", "1", "--num_nodes", "2", "--init_file_prefix",
              "exp/.init", "--", "echo", "a b"]  # fmt: skip
    subprocess.run(launch, cwd=cluster.folder, env=cluster.environment, check=True, timeout=60)
    log = (cluster.folder / "exp" / "train.log").read_text()
    assert "\na b --ngpu 1 --multiprocessing_distributed true --dist_launcher slurm" in log
    text = " ".join(cluster.calls("sbatch")[0])
    assert "--nodes 2" in text and "--gres=gpu:1" in text
