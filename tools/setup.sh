#!/usr/bin/env bash
# Makes the Python environment tools/venv from tools/requirements.lock, unless it is there already or
# an active environment serves. A run that was killed is continued; a changed lock is caught up with.
set -euo pipefail

# shellcheck source=tools/environment.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

python= # interpreter to make the environment with (default: Python 3.10-3.12 on PATH)
help_message="Usage: tools/setup.sh [--python PYTHON]

Makes the Python environment tools/venv (about 2.2 GB with torch's CPU wheel, some minutes), unless it
is there already or the active environment (virtual environment or conda) has all that is needed.

  --python PYTHON   interpreter to make it with, 3.10 to 3.12 (default: one found on PATH)"
# shellcheck source=utils/parse_options.sh
. "$environment_root/utils/parse_options.sh"

log=$environment_venv/setup.log

fail() {
  printf 'setup.sh: error: %s\n' "$1" >&2
  exit 1
}

# Can interpreter $1 make the environment? It is run, since a name on PATH may be a shim that leads
# nowhere, and Debian's Python comes without ensurepip.
serves() {
  "$1" -I -c 'import sys, venv, ensurepip
sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1 </dev/null
}

find_python() {
  local name candidate
  if [[ -n $python ]]; then
    if ! serves "$python"; then
      fail "--python $python: not a Python 3.10, 3.11 or 3.12 with the modules venv and ensurepip"
    fi
    printf '%s\n' "$python"
    return
  fi
  for name in python3.11 python3.12 python3.10 python3 python; do
    while read -r candidate; do
      if serves "$candidate"; then
        printf '%s\n' "$candidate"
        return
      fi
    done < <(type -aP "$name")
  done
  fail "no Python 3.10, 3.11 or 3.12 with venv and ensurepip on PATH. Install one (Debian and Ubuntu:
  the packages python3 and python3-venv), or name one with --python."
}

# Run a step with its output in the log.
step() {
  local what=$1 began=$SECONDS
  shift
  printf '  %s ... ' "$what"
  if ! "$@" >>"$log" 2>&1 </dev/null; then
    printf 'failed\n'
    tail -n 20 "$log" >&2
    fail "$what failed; the whole log: $log"
  fi
  printf '%d s\n' $((SECONDS - began))
}

# pip inside the environment, away from settings that would lead it elsewhere.
install() {
  PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 "$environment_venv/bin/python" -I -m pip install \
    --disable-pip-version-check --no-input --progress-bar off "$@"
}

# Packages that a killed pip left half-way: it writes INSTALLER after all of a package's files, and
# sets aside what it replaces under names with a tilde.
remove_fragments() {
  local packages info
  packages=$("$environment_venv/bin/python" -I -c \
    'import sysconfig; print(sysconfig.get_path("purelib"))')
  for info in "$packages"/*.dist-info; do
    if [[ -d $info && ! -f $info/INSTALLER ]]; then rm -r "$info"; fi
  done
  for info in "$packages"/~*; do
    if [[ -e $info ]]; then rm -r "$info"; fi
  done
}

verify() {
  "$environment_venv/bin/python" -I -c '
import h5py, jiwer, kaldiio, librosa, matplotlib, scipy.signal, sentencepiece, sklearn, soundfile, soxr
import espnet2.bin.launch, espnet2.train.abs_espnet_model, torch, torch.utils.tensorboard
import transformers, whisper'
}

if active=$(environment_active); then
  if found=$(environment_check "$active"); then
    printf 'environment: %s (active): %s\n' "$active" "$found"
    exit 0
  fi
  printf 'environment: not the active %s: %s\n' "$active" "$found"
fi
if environment_complete; then
  printf 'environment: %s\n' "$environment_venv"
  exit 0
fi

mkdir -p "$environment_venv"
if command -v flock >/dev/null; then # two runs at once: the second waits, then finds it made
  exec 9>"$environment_venv/.lock"
  flock 9
  if environment_complete; then exit 0; fi
fi

printf 'environment: making %s (some minutes, once)\n' "$environment_venv"
if ! serves "$environment_venv/bin/python" ||
  ! "$environment_venv/bin/python" -I -m pip --version >/dev/null 2>&1; then
  base=$(find_python)
  find "$environment_venv" -mindepth 1 -maxdepth 1 ! -name .lock -exec rm -r {} +
  step "virtual environment of $("$base" --version)" "$base" -m venv "$environment_venv"
elif [[ -n $python ]]; then
  printf '  it exists with %s; to use another, delete it first\n' \
    "$("$environment_venv/bin/python" --version)"
fi
remove_fragments
step "packages of requirements.lock" install -r "$environment_lock"
while read -r requirement; do
  step "$requirement" install --no-deps --no-build-isolation "$requirement"
done < <(sed -n 's/^#no-deps //p' "$environment_lock")
step "sermtl" install --no-deps --no-build-isolation -e "$environment_root"
step "trial import" verify
environment_checksum >"$environment_marker.part"
mv "$environment_marker.part" "$environment_marker"
printf 'environment: %s: %s\n' "$environment_venv" "$(environment_check "$environment_venv")"
