#!/usr/bin/env bash
# Tests on a GPU, which must be there. Arguments go to pytest:
#   test/gpu/run.sh                   # everything, a minute or two
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
"$root/tools/setup.sh" </dev/null
# shellcheck source=tools/path.sh
. "$root/tools/path.sh"
cd "$root"
exec python -m pytest test/gpu "$@"
