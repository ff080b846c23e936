"""The command line that run.pl and slurm.pl share (Kaldi's):

[options] [JOB=<first>:<last>] <log file> <command> [arguments...]
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, field

NUMBERS = {"gpu": 0, "num_threads": 1, "max_jobs_run": 1, "num_nodes": 1}  # option: least value
TEXTS = ("name", "mem", "time", "config")

USAGE = """\
usage: {program} [options] [JOB=<first>:<last>] <log file> <command> [arguments...]

Runs the command with its output in the log file and returns when it is done: 0 when all went well,
1 when not. With JOB=<first>:<last> (any name serves) there is one job for each number, which
replaces the name wherever it occurs in the log file's name and in the arguments. The arguments
reach the command as they are: for a pipe or a redirection, run bash -c '...'.

  --max-jobs-run N   run at most N jobs at once
  --num-threads N    threads of each job
  --gpu N            GPUs of each job (0)
  --mem 4G           memory of each job (slurm.pl)
  --time 2:00:00     time limit (slurm.pl)
  --num-nodes N      nodes of each job (slurm.pl)
  --name NAME        name of the job (slurm.pl)
  --config FILE      how options become sbatch's (slurm.pl; default conf/slurm.conf)
"""


class JobError(Exception):
    """A wrong command line or configuration; the message is for the user."""


class HelpWanted(Exception):
    """``--help`` was given."""


@dataclass(frozen=True)
class JobRequest:
    """What to run.

    ``options`` are keyed with underscores (``num_threads``). ``variable`` is the name before
    ``=<first>:<last>``, None when there is just one job, which then has the number 1.
    """

    log: str
    command: list[str]
    options: dict[str, str] = field(default_factory=dict)
    variable: str | None = None
    first: int = 1
    last: int = 1

    @property
    def numbers(self) -> range:
        """Numbers of the jobs."""
        return range(self.first, self.last + 1)

    def fill(self, text: str, number: int) -> str:
        """``text`` with the job's number in place of the variable."""
        return text if self.variable is None else text.replace(self.variable, str(number))

    def log_of(self, number: int) -> str:
        """Log file of one job."""
        return self.fill(self.log, number)

    def command_of(self, number: int) -> list[str]:
        """Argument vector of one job."""
        return [self.fill(argument, number) for argument in self.command]

    def number_option(self, name: str, default: int) -> int:
        """A numeric option's value, or ``default`` where it was not given."""
        return int(self.options[name]) if name in self.options else default


def parse_jobs(arguments: list[str]) -> JobRequest:
    """Read a command line; `check_options` judges the options.

    Raises `JobError` on anything wrong and `HelpWanted` on ``--help``.
    """
    rest = list(arguments)
    options: dict[str, str] = {}
    variable, first, last = None, 1, 1
    while rest:
        array = re.fullmatch(r"([A-Za-z_]\w*)=(\d+)(?::(\d+))?", rest[0])
        if array and variable is None:
            variable, first = array[1], int(array[2])
            last = int(array[3] or first)
            if last < first:
                raise JobError(f"{rest[0]}: the last job comes before the first")
            rest = rest[1:]
        elif rest[0] in ("-h", "--help"):
            raise HelpWanted
        elif rest[0].startswith("-"):
            if len(rest) < 2:
                raise JobError(f"{rest[0]} needs a value")
            name = rest[0][2:] if rest[0].startswith("--") else rest[0]
            options[name.replace("-", "_")] = rest[1]
            rest = rest[2:]
        else:
            break
    if not rest:
        raise JobError("no log file is given (--help shows the usage)")
    log, command = rest[0], rest[1:]
    if not command:
        raise JobError(f"no command follows the log file {log}")
    if os.path.isdir(log):
        raise JobError(f"the log file {log} is a directory")
    if last > first and variable is not None and variable not in log:
        raise JobError(f"{last - first + 1} jobs would share the log file {log}: put {variable} in")
    return JobRequest(log, command, options, variable, first, last)


def check_options(options: dict[str, str], more: tuple[str, ...] = ()) -> None:
    """Raise `JobError` for an unknown option or a wrong number; ``more`` are known as well."""
    known = [*NUMBERS, *TEXTS, *more]
    for name, value in options.items():
        shown = name.replace("_", "-")
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean --{close[0].replace('_', '-')}?" if close else ""
            raise JobError(f"unknown option --{shown.lstrip('-')}{hint}")
        if name in NUMBERS and not (value.isdigit() and int(value) >= NUMBERS[name]):
            raise JobError(f"--{shown} takes a whole number from {NUMBERS[name]} on, not '{value}'")
