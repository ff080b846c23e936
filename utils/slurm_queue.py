"""What Slurm's own commands say about a submitted job."""

from __future__ import annotations

import re
import subprocess

from job_options import JobError


def _ask(command: list[str]) -> subprocess.CompletedProcess:
    """Run a Slurm command in a session of its own, where a Ctrl-C does not reach it."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )


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


def tasks_in_queue(job: str, is_array: bool) -> set[int] | None:
    """Numbers of the tasks that wait or run (a job that is no array has task 1).

    None where Slurm gave no answer, as a busy controller does at times.
    """
    try:
        answer = _ask(["squeue", "--noheader", "--array", "--jobs", job, "--format", "%K"])
    except OSError:
        return None
    if answer.returncode != 0:
        return set() if "Invalid job id" in answer.stderr else None
    words = answer.stdout.split()
    return (
        {int(word) for word in words if word.isdigit()} if is_array else ({1} if words else set())
    )


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
    """Take the job out of the queue, with all its tasks."""
    try:
        _ask(["scancel", job])
    except OSError as error:
        raise JobError(f"can't run scancel {job}: {error.strerror}") from None
