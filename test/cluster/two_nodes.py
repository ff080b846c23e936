"""What the tests know of the Slurm that start.sh made: nodes n1 and n2, both on this machine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class Cluster:
    """Slurm's commands, and utils/slurm.pl in a folder of the tests' own."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.slurm_pl, self.folder = str(root / "utils" / "slurm.pl"), folder

    def start(self, *arguments: str) -> subprocess.Popen:
        """slurm.pl, running."""
        return subprocess.Popen(
            [self.slurm_pl, *arguments], cwd=self.folder, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit status and stderr of slurm.pl."""
        process = self.start(*arguments)
        _, said = process.communicate(timeout=60)
        return process.returncode, said

    def output(self, log: str) -> list[str]:
        """Lines of a log, sorted, without what slurm.pl's script adds."""
        lines = (self.folder / log).read_text().splitlines()
        return sorted(line for line in lines if not line.startswith("#"))

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def queue(self, name: str, form: str = "%T") -> list[str]:
        """A word for each task that waits or runs under a job's name: its state."""
        return self.ask("squeue", "-h", "--array", "--name", name, "-o", form).split()

    def until(self, condition: Callable[[], object], seconds: float = 30) -> None:
        """Wait, but not for ever."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (
                f"{self.ask('squeue', '--long')}\n{self.processes()}"
            )
            time.sleep(0.05)

    def until_running(self, name: str, tasks: int = 1) -> None:
        """Wait for all tasks of a job to be at work."""
        self.until(lambda: self.queue(name) == ["RUNNING"] * tasks)

    def until_left(self) -> None:
        """Wait for no job and no process to be there any more."""
        self.until(lambda: not self.ask("squeue", "-h") and not self.processes())

    def processes(self) -> list[tuple[list[str], dict[str, str]]]:
        """Command and environment of the processes that were given a path in the folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                command, environment = (
                    (process / file).read_text(errors="replace").split("\0")
                    for file in ("cmdline", "environ")
                )
                if any(str(self.folder) in word for word in command):
                    pairs = (line.partition("=") for line in environment)
                    found.append((command, {name: value for name, _, value in pairs}))
        return found
