#!/usr/bin/env bash
# Which Python environment is used; for setup.sh and path.sh, which source it.
#
# 1. The active one (virtual environment or conda), if it has all that is needed.
# 2. tools/venv, made by setup.sh from requirements.lock.

environment_root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
environment_venv=$environment_root/tools/venv
environment_lock=$environment_root/tools/requirements.lock
environment_marker=$environment_venv/.complete # holds the checksum of the lock it was made from

# Folder of the active environment, if there is one besides tools/venv.
environment_active() {
  local prefix=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}
  if [[ -z $prefix || $prefix -ef $environment_venv || ! -x $prefix/bin/python ]]; then
    return 1
  fi
  printf '%s\n' "$prefix"
}

# Does the environment in folder $1 have what is needed? Prints its versions, or what it lacks.
environment_check() {
  # -I: neither PYTHONPATH nor the current folder may pose as installed packages.
  "$1/bin/python" -I "$environment_root/tools/check_environment.py" "$environment_lock"
}

environment_checksum() {
  if command -v sha256sum >/dev/null; then
    sha256sum <"$environment_lock"
  else
    shasum -a 256 <"$environment_lock"
  fi | cut -d ' ' -f 1
}

# Was tools/venv made, whole, from the lock file as it is now?
environment_complete() {
  [[ -x $environment_venv/bin/python && -f $environment_marker ]] &&
    [[ $(<"$environment_marker") == "$(environment_checksum)" ]]
}
