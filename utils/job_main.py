"""What run.pl and slurm.pl do around running their jobs."""

from __future__ import annotations

import sys
from collections.abc import Callable

from job_options import USAGE, HelpWanted, JobError


def job_main(program: str, run: Callable[[list[str]], int]) -> int:
    """Exit status of ``run(arguments)``, which raises `JobError` on wrong input."""
    try:
        return run(sys.argv[1:])
    except HelpWanted:
        print(USAGE.format(program=program), end="")
        return 0
    except JobError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return 1
