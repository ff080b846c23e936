#!/usr/bin/env bash
# Tests of `sermtl serve` in a real browser, in an environment of their own on top of the project's.
# Arguments go to pytest:
#   test/browser/run.sh                   # everything, a minute or two
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
venv=$root/test/browser/venv
# shellcheck source=test/debian.sh
. "$root/test/debian.sh"

# Sets `chromium`, and installs Debian's if there is none.
find_chromium() {
  chromium=$(type -P chromium chromium-browser google-chrome | head -n 1) || true
  if [[ -n $chromium ]]; then return; fi
  install_debian Chromium chromium fonts-dejavu-core
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
  --constraint tools/requirements.lock "$gradio" playwright==1.65.2 </dev/null
CHROMIUM=$chromium exec "$venv/bin/python" -m pytest test/browser test/sermtl/test_web.py "$@"
