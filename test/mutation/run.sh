#!/usr/bin/env bash
# Mutation tests of model/, scoring/ and data/: mutmut changes the code in some thousand small ways,
# and for each runs the tests that reach it, of which one should fail. Survivors that survivors.yaml
# doesn't explain fail the run. Arguments are names of mutants:
#   test/mutation/run.sh                        # what wasn't tried yet, hours from the beginning
#   test/mutation/run.sh 'sermtl.model.swfc.*'  # once more, minutes
# JOBS mutants at once (2). `rm -r test/mutation/work` starts anew.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
work=$root/test/mutation/work
# shellcheck source=test/venv.sh
. "$root/test/venv.sh"

"$root/tools/setup.sh" </dev/null
# shellcheck source=tools/path.sh
. "$root/tools/path.sh"
cd "$root"
make_venv test/mutation/venv mutmut==3.8.1

# A copy, because mutmut writes into the folder that it works in.
mkdir -p "$work"
find "$work" -mindepth 1 -maxdepth 1 ! -name mutants -exec rm -r {} +
rm -rf "$work/mutants/test"
git ls-files -z -- conf egs pyproject.toml sermtl test tools utils |
  tar --create --null --files-from - | tar --extract --directory "$work"
cp test/mutation/setup.cfg "$work"
# mutmut leaves decorated functions alone; these decorators only guard against misuse.
grep -rlE '^ *@(typechecked|once_differentiable)$' "$work/sermtl" |
  xargs sed -Ei '/^ *@(typechecked|once_differentiable)$/d'

cd "$work"
unset PYTHONPATH # for the copy's sake
export OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 MPLBACKEND=Agg
python=$root/test/mutation/venv/bin/python
"$python" "$root/test/mutation/mutate.py" "$@" </dev/null
"$python" "$root/test/mutation/report.py"
