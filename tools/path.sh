#!/usr/bin/env bash
# Sourced, from any folder: puts Python's environment and utils/ on PATH and the project first on
# PYTHONPATH. Fails where there is no environment yet.

# shellcheck source=tools/environment.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

if environment_active >/dev/null && environment_check "$(environment_active)" >/dev/null; then
  environment_bin=$(environment_active)/bin
elif [[ -f $environment_marker && -x $environment_venv/bin/python ]]; then
  if ! environment_complete; then
    echo "path.sh: tools/requirements.lock has changed: run $environment_root/tools/setup.sh" >&2
  fi
  export VIRTUAL_ENV=$environment_venv
  environment_bin=$environment_venv/bin
else
  echo "path.sh: error: no Python environment yet: run $environment_root/tools/setup.sh" >&2
  return 1
fi
if [[ $PATH: != "$environment_root/utils:$environment_bin:"* ]]; then
  export PATH=$environment_root/utils:$environment_bin:$PATH
fi
if [[ ${PYTHONPATH:-}: != "$environment_root:"* ]]; then
  export PYTHONPATH=$environment_root${PYTHONPATH:+:$PYTHONPATH}
fi

# Tokenizers' own threads don't survive the forks of data loaders. OMP_NUM_THREADS is left alone: a
# single job takes all cores, and run.pl gives jobs that run side by side one each.
export TOKENIZERS_PARALLELISM=${TOKENIZERS_PARALLELISM:-false}
# Idle threads of torch's sleep instead of spinning: with anything else on the machine, spinning
# makes a training step take several times as long.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
