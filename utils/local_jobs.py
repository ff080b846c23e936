"""Jobs as processes of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import IO

from job_log import log_header, log_trailer, report_failures
from job_options import JobError, JobRequest, check_options, parse_jobs
from job_signals import SignalWatch

PROGRAM = "run.pl"
GRACE_SECONDS = 10.0  # between asking a job to stop and killing it


@dataclass
class RunningJob:
    """A started job. It leads a process group, so that what it started can be stopped with it."""

    process: subprocess.Popen
    log: IO[bytes]
    started: float
    devices: list[str] | None

    def signal_group(self, number: int) -> None:
        """Send a signal to the job and all that it started."""
        # macOS raises PermissionError for a group that is gone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def end(self) -> str:
        """Write the log's last line; returns what became of the job (``code 0``)."""
        code = self.process.returncode
        status = f"code {code}" if code >= 0 else f"signal {-code}"
        if code != 0:
            self.signal_group(signal.SIGKILL)  # what a failed job leaves behind helps nobody
        with contextlib.suppress(OSError):  # a full disk doesn't change what became of the job
            self.log.write(log_trailer(status, time.monotonic() - self.started).encode())
        self.log.close()
        return status


def run_local_jobs(arguments: list[str]) -> int:
    """Run the jobs of a command line; returns the exit status."""
    request = parse_jobs(arguments)
    check_options(request.options)
    limit, devices = _places(request)
    waiting = deque(request.numbers)
    running: dict[int, RunningJob] = {}
    failures: dict[int, tuple[str, str]] = {}
    with SignalWatch() as watch:
        while (waiting or running) and watch.received is None:
            while waiting and len(running) < limit:
                number = waiting.popleft()
                job = _start(request, number, devices.pop(0) if devices else None)
                if isinstance(job, str):
                    failures[number] = (request.log_of(number), job)
                else:
                    running[number] = job
            if running:
                watch.wait()
            for number in [n for n, job in running.items() if job.process.poll() is not None]:
                job = running.pop(number)
                if job.devices is not None:
                    devices.append(job.devices)
                status = job.end()
                if status != "code 0":
                    failures[number] = (request.log_of(number), status)
        if watch.received is not None:
            _stop(running, watch)
            name = signal.Signals(watch.received).name
            print(f"{PROGRAM}: stopped by {name}, and its jobs with it", file=sys.stderr)
            return 128 + watch.received
    if failures:
        report_failures(PROGRAM, failures, len(request.numbers))
        return 1
    return 0


def _places(request: JobRequest) -> tuple[int, list[list[str]]]:
    """How many jobs may run at once, and the GPUs for each of them (empty: not ours to deal)."""
    threads = request.number_option("num_threads", 1)
    gpus = request.number_option("gpu", 0)
    devices: list[list[str]] = []
    if gpus > 0:
        limit = 1
        if len(request.numbers) > 1:
            visible = _visible_gpus()
            if len(visible) < gpus:
                raise JobError(f"each job wants {gpus} GPU(s), this machine shows {len(visible)}")
            devices = [visible[i : i + gpus] for i in range(0, len(visible) - gpus + 1, gpus)]
            limit = len(devices)
    else:
        limit = max(1, _cores() // threads)
    chosen = request.number_option("max_jobs_run", limit)
    return (min(chosen, limit) if devices else chosen), devices


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _visible_gpus() -> list[str]:
    """Identifiers of the GPUs, as CUDA_VISIBLE_DEVICES takes them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [device.strip() for device in chosen.split(",") if device.strip()]
    if shutil.which("nvidia-smi") is None:
        return []
    listing = subprocess.run(
        ["nvidia-smi", "-L"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    found = [line for line in listing.stdout.splitlines() if line.startswith("GPU ")]
    return [str(index) for index in range(len(found))]


def _start(request: JobRequest, number: int, devices: list[str] | None) -> RunningJob | str:
    """Start one job; returns what went wrong where that is impossible."""
    command, path = request.command_of(number), request.log_of(number)
    environment = dict(os.environ)
    if "num_threads" in request.options or len(request.numbers) > 1:
        # Jobs side by side must not each take all cores.
        environment.setdefault("OMP_NUM_THREADS", str(request.number_option("num_threads", 1)))
    if devices is not None:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        open(path, "wb").close()
        log = open(path, "ab", buffering=0)  # noqa: SIM115 (closed when the job ends)
        log.write(log_header(command).encode("utf-8", "surrogateescape"))
    except OSError as error:
        return f"can't write the log: {error.strerror}"
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        with contextlib.suppress(OSError):
            log.write(f"can't run {command[0]}: {error.strerror}\n".encode())
            log.write(log_trailer("code 127", 0).encode())
        log.close()
        return "code 127"
    return RunningJob(process, log, time.monotonic(), devices)


def _stop(running: dict[int, RunningJob], watch: SignalWatch) -> None:
    """Ask the jobs to stop, kill those that don't (at once when a second signal comes)."""
    for job in running.values():
        job.signal_group(signal.SIGTERM)
    watch.received, first = None, watch.received
    deadline = time.monotonic() + GRACE_SECONDS
    while any(job.process.poll() is None for job in running.values()):
        left = deadline - time.monotonic()
        if left <= 0 or watch.received is not None:
            break
        watch.wait(left)
    for job in running.values():
        job.signal_group(signal.SIGKILL)
        job.process.wait()
        job.end()
    watch.received = first
