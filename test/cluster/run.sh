#!/usr/bin/env bash
# Tests on a real Slurm, which start.sh starts on this machine for the occasion. Arguments go to
# pytest:
#   test/cluster/run.sh                   # everything, five to ten minutes
#   test/cluster/run.sh -k slurm_pl
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=test/cluster/start.sh
. "$root/test/cluster/start.sh"
install_slurm
"$root/tools/setup.sh" </dev/null
# shellcheck source=tools/path.sh
. "$root/tools/path.sh"
cd "$root"

tests=0 # process group of pytest
stop() { # exit status
  trap '' INT TERM HUP
  trap - EXIT
  if ((tests)) && kill -INT -- "-$tests" 2>/dev/null; then wait "$tests" || true; fi
  stop_slurm
  exit "$1"
}
trap 'stop $?' EXIT
trap 'stop 130' INT
trap 'stop 143' TERM HUP
start_slurm

# In a session of its own, for `stop` to reach all of it; what bash starts in the background would
# ignore Ctrl-C.
setsid env --default-signal=INT python -m pytest test/cluster "$@" </dev/null &
tests=$!
wait "$tests"
