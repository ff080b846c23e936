"""Jobs on a Slurm cluster: one array job for all of a request, watched until its end."""

from __future__ import annotations

import os
import signal
import sys
import time

from job_log import report_failures
from job_options import JobError, JobRequest, check_options, parse_jobs
from job_signals import SignalWatch
from slurm_conf import read_slurm_conf
from slurm_queue import ENDED, accounted_states, cancel, submit, task_states
from slurm_script import output_pattern, script_text

PROGRAM = "slurm.pl"
DEFAULT_CONF = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "conf", "slurm.conf"
)
FILE_SECONDS = 1.0  # between looks for status files
QUEUE_SECONDS = 15.0  # between questions to the controller, which serves everybody
LOST_SECONDS = 60.0  # network file systems may show a status file this late


def run_slurm_jobs(arguments: list[str]) -> int:
    """Submit the jobs of a command line and wait for them; returns the exit status."""
    request = parse_jobs(arguments)
    conf = read_slurm_conf(request.options.get("config", DEFAULT_CONF))
    check_options(request.options, conf.option_names)
    options = conf.sbatch_options(request.options)
    status = _status_pattern(request)
    script = _write_script(request, status)
    command = [*conf.command, "--parsable", "--output", output_pattern(request)]
    command += ["--open-mode", "append"]  # a task that Slurm queues again goes on with its log
    if "name" not in request.options:
        command += ["--job-name", os.path.splitext(os.path.basename(request.log))[0]]
    if request.variable is not None:
        limit = request.options.get("max_jobs_run")
        array = f"{request.first}-{request.last}" + (f"%{limit}" if limit else "")
        command += ["--array", array]
    with SignalWatch() as watch:
        job = submit([*command, *options, script])
        results = _wait(job, request, status, watch)
        if watch.received is not None:
            cancel(job)
            name = signal.Signals(watch.received).name
            print(f"{PROGRAM}: stopped by {name}, Slurm job {job} cancelled", file=sys.stderr)
            return 128 + watch.received
    failures = {n: (request.log_of(n), why) for n, why in results.items() if why != "code 0"}
    if failures:
        print(f"{PROGRAM}: Slurm job {job}", file=sys.stderr)
        report_failures(PROGRAM, failures, len(request.numbers))
        return 1
    return 0


def _status_pattern(request: JobRequest) -> str:
    """Path of the status file; with the variable in it where there is one."""
    folder = os.path.join(os.path.dirname(request.log_of(request.first)), "q")
    name = os.path.basename(request.log)
    if request.variable is not None and request.variable not in name:
        name += f".{request.variable}"
    return os.path.join(folder, f"{name}.status")


def _write_script(request: JobRequest, status: str) -> str:
    """Make the folders, remove earlier status files, write the batch script; returns its path."""
    script = status[: -len("status")] + "sh"
    try:
        os.makedirs(os.path.dirname(status), exist_ok=True)
        for number in request.numbers:
            os.makedirs(os.path.dirname(request.log_of(number)) or ".", exist_ok=True)
            for earlier in (request.log_of(number), request.fill(status, number)):
                if os.path.exists(earlier):
                    os.remove(earlier)
        with open(script, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(script_text(request, status))
    except OSError as error:
        raise JobError(f"can't write beside the log file {request.log}: {error}") from None
    return script


def _wait(job: str, request: JobRequest, status: str, watch: SignalWatch) -> dict[int, str]:
    """Wait for every task; returns by number what became of it (``code 0``).

    Of a task that ended without a status file (killed by a time or memory limit, cancelled, lost
    with its node) the queue knows the state, and after some minutes only the accounting; without
    an answer it counts as failed once the file had time to appear.
    """
    results: dict[int, str] = {}
    gone: dict[int, float] = {}  # task: since when it is known to have ended
    asked = time.monotonic()
    while watch.received is None:
        waiting = [number for number in request.numbers if number not in results]
        for number, code in _read_statuses(request, status, waiting).items():
            results[number] = code
        waiting = [number for number in waiting if number not in results]
        if not waiting:
            break
        now = time.monotonic()
        if now - asked >= QUEUE_SECONDS:
            asked = now
            states = task_states(job, request.variable is not None)
            if states is not None:
                ended = [n for n in waiting if n not in states or states[n] in ENDED]
                gone = {n: gone.get(n, now) for n in ended}
                if any(n not in states for n in ended):
                    states = {**accounted_states(job), **states}
                results.update(_settle(states, gone, now))
        watch.wait(FILE_SECONDS)
    return results


def _settle(states: dict[int, str], gone: dict[int, float], now: float) -> dict[int, str]:
    """What became of the tasks that are gone without a status file, as far as it is certain."""
    settled = {}
    for number, since in gone.items():
        state = states.get(number)
        if now - since < QUEUE_SECONDS:  # its file may be on the way, or it is queued again
            continue
        if state == "COMPLETED":
            settled[number] = "code 0"
        elif state in ENDED:
            settled[number] = f"Slurm state {state}"
        elif now - since >= LOST_SECONDS:
            settled[number] = "left the queue without an exit status"
    return settled


def _read_statuses(request: JobRequest, status: str, numbers: list[int]) -> dict[int, str]:
    """Exit statuses that have arrived. Listing the folder makes NFS look afresh."""
    found = {}
    try:
        present = set(os.listdir(os.path.dirname(status)))
        for number in numbers:
            path = request.fill(status, number)
            if os.path.basename(path) in present:
                with open(path, encoding="ascii") as stream:
                    found[number] = f"code {stream.read().strip()}"
    except OSError:  # a file system that is away for a while; the queue tells of those that end
        pass
    return found
