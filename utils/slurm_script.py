"""The batch script of a job."""

from __future__ import annotations

import os
import shlex

from job_options import JobRequest

TASK = '"${SLURM_ARRAY_TASK_ID}"'

# The status goes to a file of its own: the queue forgets a job soon after its end, and the
# accounting is not installed everywhere.
SCRIPT = """\
#!/usr/bin/env bash
command=({words})
printf '#'; printf ' %q' "${{command[@]}}"
printf '\\n# Running on %s\\n# Started at %s\\n# SLURM_JOB_ID %s\\n#\\n' \\
  "$(hostname)" "$(date)" "${{SLURM_JOB_ID-}}"
# From Slurm 22.05 on, srun no longer takes --cpus-per-task over from sbatch.
if [ -n "${{SLURM_CPUS_PER_TASK-}}" ]; then
  export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
fi
# Processes of a training wait for each other: when one fails, srun ends all.
export SLURM_KILL_BAD_EXIT=1
SECONDS=0
"${{command[@]}}" </dev/null
code=$?
printf '# Ended (code %d) at %s, elapsed time %d seconds\\n' "$code" "$(date)" "$SECONDS"
status={status}
echo "$code" >"$status.part" && mv "$status.part" "$status"
exit "$code"
"""


def script_text(request: JobRequest, status: str) -> str:
    """Script for all jobs of a request; ``status`` is the file that gets the exit status.

    The variable (JOB) in the arguments and in ``status`` becomes Slurm's task number. Everything
    else is quoted: the shell on the node takes it literally.
    """
    words = " ".join(_shell_word(request, argument) for argument in request.command)
    return SCRIPT.format(words=words, status=_shell_word(request, os.path.abspath(status)))


def output_pattern(request: JobRequest) -> str:
    """sbatch's ``--output``: the log, so that Slurm's own messages are found there too."""
    path = request.log.replace("%", "%%")
    return path if request.variable is None else path.replace(request.variable, "%a")


def _shell_word(request: JobRequest, text: str) -> str:
    """``text`` quoted for bash, the variable left open for it to fill in."""
    if request.variable is None:
        return shlex.quote(text)
    parts = text.split(request.variable)
    return TASK.join(shlex.quote(part) if part or len(parts) == 1 else "" for part in parts)
