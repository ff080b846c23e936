#!/usr/bin/env bash
# The faults in their long form: more kills at random moments, more generated examples.
exec "$(dirname -- "${BASH_SOURCE[0]}")/../run.sh" test/faults --long "$@"
