"""How job options become sbatch's options: conf/slurm.conf, in Kaldi's format.

command sbatch                       the submitting command
option time=* --time $0              --time 2:00:00 becomes `--time 2:00:00`
option gpu=0                         --gpu 0 becomes nothing (a value comes before *)
option gpu=* --gres=gpu:$0
default gpu=0                        an option's value where none is given
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from job_options import JobError

ANY = "*"
OURS = ("max_jobs_run", "config")  # handled by slurm.pl itself


@dataclass(frozen=True)
class SlurmConf:
    """A parsed file. ``rules`` maps (option, value or ``*``) to sbatch's options."""

    path: str
    command: list[str]
    rules: dict[tuple[str, str], list[str]]
    defaults: dict[str, str]

    @property
    def option_names(self) -> tuple[str, ...]:
        """Options that the file knows."""
        return tuple(sorted({name for name, _ in self.rules}))

    def sbatch_options(self, options: dict[str, str]) -> list[str]:
        """Options for sbatch. Raises `JobError` for a value that the file has no rule for."""
        arguments: list[str] = []
        for name, value in {**self.defaults, **options}.items():
            if name in OURS:
                continue
            flags = self.rules.get((name, value), self.rules.get((name, ANY)))
            if flags is None:
                shown = name.replace("_", "-")
                raise JobError(
                    f"{self.path} has no rule for --{shown} {value}: add 'option {name}=* ...'"
                )
            arguments += [flag.replace("$0", value) for flag in flags]
        return arguments


def read_slurm_conf(path: str) -> SlurmConf:
    """Read a file. Raises `JobError` naming file and line."""
    command: list[str] = []
    rules: dict[tuple[str, str], list[str]] = {}
    defaults: dict[str, str] = {}
    try:
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except OSError as error:
        raise JobError(f"can't read {path}: {error.strerror}") from None
    for number, line in enumerate(lines, start=1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise JobError(f"{path}:{number}: {error}") from None
        if not words:
            continue
        keyword, rest = words[0], words[1:]
        name, equals, value = rest[0].partition("=") if rest else ("", "", "")
        name = name.replace("-", "_")
        if keyword == "command" and rest:
            command = rest
        elif keyword == "option" and name and equals:
            rules[name, value] = rest[1:]
        elif keyword == "default" and name and equals and len(rest) == 1:
            defaults[name] = value
        else:
            raise JobError(f"{path}:{number}: not a command, option or default line: {line}")
    if not command:
        raise JobError(f"{path}: the line 'command sbatch' is missing")
    return SlurmConf(path, command, rules, defaults)
