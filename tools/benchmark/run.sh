#!/usr/bin/env bash
# Everything that is claimed about speed and memory, measured on this machine: one table at the end.
# Runs on a GPU where there is one, else on the CPU; nothing else should run beside it. Options go
# nowhere: to measure one thing in another way, call its script (they have --help).
#
#   tools/benchmark/run.sh [FILE]     # FILE gets the figures as JSON lines
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
# shellcheck source=tools/path.sh
. tools/path.sh
figures=$(realpath -m -- "${1:-$(mktemp)}")
ngpu=0
if nvidia-smi -L >/dev/null 2>&1; then ngpu=1; fi

measure() {
    echo "--- $*" >&2
    python -W ignore "$here/$1.py" "${@:2}" --figures "$figures"
}

measure training_speed --ngpu "$ngpu"
measure inference_speed --ngpu "$ngpu"
measure attention --ngpu "$ngpu"
measure peak_memory --ngpu "$ngpu"
measure whisper_batches --ngpu "$ngpu"
measure input_pipeline --ngpu "$ngpu"
measure scoring
measure startup
measure first_prediction
measure growth --stages 1 6
measure growth --sizes 6250 25000 100000 --seconds 0.1 --repeats 1
measure scaling
python "$here/figures.py" "$figures"
