"""utils/slurm.pl on a real Slurm."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from two_nodes import Cluster


@pytest.fixture(scope="module", autouse=True)
def overdue(cluster: Cluster) -> Iterator[subprocess.Popen]:
    """Exceeds its time limit, which can't be less than a minute, while other tests run."""
    (cluster.folder / "n1.conf").write_text(
        "command sbatch --nodelist n1\noption time=* --time $0\n"
    )
    process = cluster.start("--config", "n1.conf", "--time", "1", "overdue.log", "sleep", "300")
    cluster.until_running("overdue")
    yield process
    process.terminate()
    process.communicate(timeout=60)


def test_arguments_arrive_as_they_are(cluster: Cluster):
    words = ["a b", "$(touch evil)", "`x`", "", "|", "*", '"', "'", "a\nb", "\\", "%a", "ü", "JOB"]
    program = "import json, sys; json.dump(sys.argv[1:], open('got', 'w'))"
    assert cluster.run("100%/a log", sys.executable, "-c", program, *words) == (0, "")
    assert json.loads((cluster.folder / "got").read_text()) == words
    assert not (cluster.folder / "evil").exists()
    assert "# Ended (code 0)" in (cluster.folder / "100%" / "a log").read_text()


def test_exit_status(cluster: Cluster):
    status, said = cluster.run("status.log", "bash", "-c", "echo the reason; exit 3")
    assert status == 1
    assert "slurm.pl: job failed (code 3), log: status.log" in said
    assert "    the reason\n" in said


def test_array_with_a_failing_task(cluster: Cluster):
    status, said = cluster.run(
        "JOB=2:5", "part JOB/array.log", "bash", "-c", "echo JOB; exit $((JOB == 3 ? 7 : 0))"
    )
    assert status == 1
    assert "job 3 of 4 failed (code 7), log: part 3/array.log" in said
    assert "1 of 4 jobs failed" in said
    for task in range(2, 6):
        assert cluster.output(f"part {task}/array.log") == [str(task)]


def test_how_many_run_at_once(cluster: Cluster):
    program = "touch on.JOB; sleep 1; ls on.* | wc -l; rm on.JOB"
    status, said = cluster.run(
        "--max-jobs-run", "2", "JOB=1:5", "most.JOB.log", "bash", "-c", program
    )
    assert status == 0, said
    assert max(cluster.output(f"most.{task}.log") for task in range(1, 6)) == ["2"]


def test_options_of_the_shipped_configuration(cluster: Cluster):
    program = "echo $SLURMD_NODENAME $SLURM_CPUS_PER_TASK cores, $SLURM_MEM_PER_NODE MB"
    program += ', GPU $CUDA_VISIBLE_DEVICES; squeue -h -j $SLURM_JOB_ID -o "%j %l"'
    status, said = cluster.run(
        *("--num_nodes", "2", "--num_threads", "3", "--mem", "1G", "--gpu", "1"),
        *("--time", "0:10:00", "--name", "my job"),
        *("options.log", "srun", "bash", "-c", program),
    )
    assert status == 0, said
    assert cluster.output("options.log") == [
        *["my job 10:00"] * 2,
        *(f"n{node} 3 cores, 1024 MB, GPU 0" for node in (1, 2)),
    ]


def test_a_refused_job(cluster: Cluster):
    status, said = cluster.run("--mem", "999G", "refused.log", "true")
    assert status == 1
    assert said.startswith("slurm.pl: error: sbatch did not take the job: sbatch: error: Memory")


def test_a_job_inside_another_one(cluster: Cluster):
    """Whose memory is asked for in another way, which srun refuses to mix."""
    inner = [cluster.slurm_pl, "--mem", "100", "inner.log", "srun", "echo", "done"]
    outer = ["sbatch", "--wait", "--mem-per-cpu=50", "--output", "outer.log"]
    cluster.ask(*outer, "--wrap", shlex.join(inner))
    assert cluster.output("inner.log") == ["done"]


def test_when_one_process_fails_the_other_ends(cluster: Cluster):
    program = "if [ $SLURM_PROCID = 1 ]; then exit 5; else sleep 300; fi"
    status, said = cluster.run("--num_nodes", "2", "nodes.log", "srun", "bash", "-c", program)
    assert status == 1
    assert "n2: task 1: Exited with exit code 5" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels(cluster: Cluster, number: int):
    name = signal.Signals(number).name
    command = ["tail", "--retry", "-f", str(cluster.folder / "nothing")]
    process = cluster.start("--name", name, "JOB=1:2", "signal.JOB.log", *command)
    cluster.until_running(name, tasks=2)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert said.startswith(f"slurm.pl: stopped by {name}, Slurm job ")
    cluster.until(lambda: not cluster.queue(name) and not cluster.processes())


def test_cancelled_by_others(cluster: Cluster):
    one = cluster.start("one.log", "sleep", "300")
    task = cluster.start(
        "JOB=1:3", "task.JOB.log", "bash", "-c", "if [ JOB = 2 ]; then sleep 300; fi"
    )
    cluster.until_running("one")
    cluster.until(lambda: cluster.queue("task.JOB", "%K=%T") == ["2=RUNNING"])
    cluster.ask("scancel", "--name", "one")
    cluster.ask("scancel", cluster.queue("task.JOB", "%F_%K")[0])
    _, said = one.communicate(timeout=60)
    assert one.returncode == 1
    assert "slurm.pl: job failed (Slurm state CANCELLED), log: one.log" in said
    _, said = task.communicate(timeout=60)
    assert task.returncode == 1
    assert "job 2 of 3 failed (Slurm state CANCELLED), log: task.2.log" in said
    assert "1 of 3 jobs failed" in said


def test_a_node_goes_down(cluster: Cluster):
    """What may be queued again is, and ends well; what may not is told."""
    jobs = {}
    for name, option in (("again", "--requeue"), ("once", "--no-requeue")):
        (cluster.folder / f"{name}.conf").write_text(f"command sbatch --nodelist n2 {option}\n")
        program = "if mkdir $0; then sleep 300; else echo again; fi"
        arguments = ["--config", f"{name}.conf", f"{name}.log", "bash", "-c", program, name]
        jobs[name] = cluster.start(*arguments)
        cluster.until_running(name)
    cluster.until(lambda: (cluster.folder / "again").exists())
    cluster.ask("scontrol", "update", "NodeName=n2", "State=DOWN", "Reason=test")
    cluster.until(lambda: cluster.queue("again") == ["PENDING"])
    cluster.until(lambda: "idle" in cluster.ask("sinfo", "-h", "-n", "n2", "-o", "%T"))
    (number,) = cluster.queue("again", "%A")
    # slurmd refuses a credential from the second in which it revoked the job's first one.
    cluster.ask("scontrol", "update", f"JobId={number}", "StartTime=now+10")
    _, said = jobs["again"].communicate(timeout=60)
    assert jobs["again"].returncode == 0, said
    assert "again" in cluster.output("again.log")
    assert (cluster.folder / "again.log").read_text().count("# Running on") == 2  # both times
    _, said = jobs["once"].communicate(timeout=60)
    assert jobs["once"].returncode == 1
    assert "slurm.pl: job failed (Slurm state NODE_FAIL), log: once.log" in said


def test_a_time_limit_is_exceeded(overdue: subprocess.Popen):
    _, said = overdue.communicate(timeout=180)
    assert overdue.returncode == 1
    assert "slurm.pl: job failed (Slurm state TIMEOUT), log: overdue.log" in said
    assert "DUE TO TIME LIMIT" in said
