#!/usr/bin/env bash
# Sourced by tests on request that need more packages than the project: environments of their own.

# On top of the active environment, so that what the project uses stays as it is.
make_venv() { # folder, packages...
  local venv=$1 purelib='import sysconfig; print(sysconfig.get_path("purelib"))'
  if [[ ! -x $venv/bin/python ]]; then python -m venv "$venv"; fi
  python -c "$purelib" >"$("$venv/bin/python" -c "$purelib")/project.pth"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --constraint tools/requirements.lock "${@:2}" </dev/null
}
