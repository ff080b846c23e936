#!/usr/bin/env python3
"""A pretended Slurm: sbatch, squeue, sacct and scancel by the name it is called.

State lies in the folder $FAKE_SLURM: `calls` (a JSON line for each call), `job.<task>.pid`.
$FAKE_SLURM_LOSE lists tasks that vanish without being run; $FAKE_SLURM_ENDED is what squeue says
of ended tasks (`2 TIMEOUT,3 FAILED`), $FAKE_SLURM_STATES is sacct's answer.
$FAKE_SLURM_REFUSE names a command that fails.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

STATE = Path(os.environ["FAKE_SLURM"])
NUMBER = "4711"


def sbatch(arguments: list[str]) -> None:
    script = arguments[-1]
    values = dict(itertools.pairwise(arguments))
    tasks = [None]
    if "--array" in values:
        first, last = values["--array"].partition("%")[0].split("-")
        tasks = range(int(first), int(last) + 1)
    for task in tasks:
        if str(task or 1) in os.environ.get("FAKE_SLURM_LOSE", "").split():
            continue
        environment = dict(os.environ, SLURM_JOB_ID=NUMBER, SLURM_CPUS_PER_TASK="2")
        if task is not None:
            environment["SLURM_ARRAY_TASK_ID"] = str(task)
        log = values["--output"].replace("%a", str(task)).replace("%%", "%")
        with open(log, "w") as stream:
            process = subprocess.Popen(
                ["bash", script],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (STATE / f"job.{task or 1}.pid").write_text(str(process.pid))
    print(f"{NUMBER};cluster")


def jobs() -> dict[int, int]:
    return {int(p.name.split(".")[1]): int(p.read_text()) for p in STATE.glob("job.*.pid")}


def running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def main() -> None:
    program, arguments = Path(sys.argv[0]).name, sys.argv[1:]
    with open(STATE / "calls", "a") as stream:
        stream.write(json.dumps([program, *arguments]) + "\n")
    if program == "sbatch":
        if os.environ.get("FAKE_SLURM_REFUSE") == "sbatch":
            sys.exit("sbatch: error: Batch job submission failed: Invalid account")
        sbatch(arguments)
    elif program == "squeue":
        if (STATE / "busy").exists():
            (STATE / "busy").unlink()
            sys.exit("slurm_load_jobs error: Socket timed out on send/recv operation")
        for task, pid in jobs().items():
            if running(pid):
                print(task, "RUNNING")
        print(os.environ.get("FAKE_SLURM_ENDED", "").replace(",", "\n"), end="")
    elif program == "sacct":
        print(os.environ.get("FAKE_SLURM_STATES", "").replace(" ", "\n"))
    elif program == "scancel":
        if os.environ.get("FAKE_SLURM_REFUSE") == "scancel":
            sys.exit("scancel: error: Kill job error: Unable to contact slurm controller")
        for pid in jobs().values():
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
