"""What Slurm's own commands say about a submitted job."""

from __future__ import annotations

import os
import re
import subprocess

from job_options import JobError

ENDED = (
    *("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "PREEMPTED"),
    *("BOOT_FAIL", "DEADLINE", "REVOKED"),
)
"""States that a task stays in, unless it is queued again."""


def _ask(command: list[str]) -> subprocess.CompletedProcess:
    """Run a Slurm command in a session of its own, where a Ctrl-C does not reach it."""
    return subprocess.run(
        command,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    """Ours, without what describes the job that we may be part of.

    A new job would inherit it, and its ``srun`` refuses ``SLURM_MEM_PER_CPU`` beside the new job's
    ``SLURM_MEM_PER_NODE``.
    """
    if "SLURM_JOB_ID" not in os.environ:
        return dict(os.environ)
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SLURM_", "SRUN_")) or name == "SLURM_CONF"
    }


def submit(command: list[str]) -> str:
    """Submit with ``sbatch --parsable ...``; returns the job's number.

    Raises `JobError` where Slurm refuses or is not there.
    """
    try:
        answer = _ask(command)
    except OSError as error:
        raise JobError(f"can't run {command[0]}: {error.strerror}") from None
    number = re.search(r"^(\d+)(;.*)?$", answer.stdout, re.MULTILINE)
    if answer.returncode != 0 or number is None:
        said = (answer.stderr + answer.stdout).strip()
        raise JobError(f"{command[0]} did not take the job: {said}")
    return number[1]


def task_states(job: str, is_array: bool) -> dict[int, str] | None:
    """State by task (``RUNNING``; a job that is no array has task 1).

    Slurm forgets a task some minutes after its end. None where it gave no answer, as a busy
    controller does at times.
    """
    command = ["squeue", "--noheader", "--array", "--states", "all", "--format", "%K %T"]
    try:
        answer = _ask([*command, "--jobs", job])
    except OSError:
        return None
    if answer.returncode != 0:
        return {} if "Invalid job id" in answer.stderr else None
    rows = [line.split() for line in answer.stdout.splitlines()]
    return {int(task) if is_array else 1: state for task, state in rows}


def accounted_states(job: str) -> dict[int, str]:
    """Final state by task (``TIMEOUT``), as far as the accounting knows; empty without it."""
    try:
        answer = _ask(["sacct", "-n", "-X", "-P", "-j", job, "-o", "JobID,State"])
    except OSError:
        return {}
    states = {}
    for line in answer.stdout.splitlines():
        name, _, state = line.partition("|")
        task = re.fullmatch(rf"{job}(?:_(\d+))?", name)
        if task and state:
            states[int(task[1] or 1)] = state.split()[0]  # "CANCELLED by 1000"
    return states


def cancel(job: str) -> None:
    """Take the job out of the queue, with all its tasks.

    Raises `JobError` where Slurm did not take note of it.
    """
    try:
        answer = _ask(["scancel", job])
    except OSError as error:
        raise JobError(f"can't run scancel {job}: {error.strerror}") from None
    if answer.returncode != 0:
        raise JobError(f"scancel {job} failed, the job may go on: {answer.stderr.strip()}")
