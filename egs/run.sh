#!/usr/bin/env bash
# This recipe, through the pipeline at the project's top: takes the same options.
set -euo pipefail
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../run.sh" --recipe "$(basename "$here")" "$@"
