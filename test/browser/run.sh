#!/usr/bin/env bash
# Tests of `sermtl serve` in a real browser, in an environment of their own on top of the project's.
# Arguments go to pytest:
#   test/browser/run.sh                   # everything, a minute or two
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
venv=$root/test/browser/venv

# Sets `chromium`, and installs Debian's if there is none.
find_chromium() {
  chromium=$(type -P chromium chromium-browser google-chrome | head -n 1) || true
  if [[ -n $chromium ]]; then return; fi
  if [[ $(id -u) != 0 ]] || ! type apt-get >/dev/null 2>&1; then
    echo "error: there is no Chromium; only root on Debian gets it installed" >&2
    exit 1
  fi
  local log
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes \
    --no-install-recommends chromium fonts-dejavu-core; } >"$log" 2>&1 </dev/null; then
    tail "$log" >&2
    echo "error: apt-get can't install Chromium" >&2
    exit 1
  fi
  rm "$log"
  chromium=$(type -P chromium)
}

find_chromium
"$root/tools/setup.sh" </dev/null
# shellcheck source=tools/path.sh
. "$root/tools/path.sh"
cd "$root"

if [[ ! -x $venv/bin/python ]]; then python -m venv "$venv"; fi
purelib='import sysconfig; print(sysconfig.get_path("purelib"))'
python -c "$purelib" >"$("$venv/bin/python" -c "$purelib")/project.pth"
gradio=$(python -c 'from sermtl.cli.serve import GRADIO; print(GRADIO)')
# Constrained, so that what the project uses stays as it is.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
  --constraint tools/requirements.lock "$gradio" playwright </dev/null
CHROMIUM=$chromium exec "$venv/bin/python" -m pytest test/browser test/sermtl/test_web.py "$@"
