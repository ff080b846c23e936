#!/usr/bin/env bash
# Tests of `sermtl serve` in a real browser, in an environment of their own on top of the project's.
# Arguments go to pytest:
#   test/browser/run.sh                   # everything, a minute or two
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
venv=$root/test/browser/venv
# shellcheck source=test/debian.sh
. "$root/test/debian.sh"
# shellcheck source=test/venv.sh
. "$root/test/venv.sh"

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

gradio=$(python -c 'from sermtl.cli.serve import GRADIO; print(GRADIO)')
make_venv "$venv" "$gradio" playwright==1.65.2
CHROMIUM=$chromium exec "$venv/bin/python" -m pytest test/browser test/sermtl/test_web.py "$@"
