#!/usr/bin/env bash
# Sourced by the tests on request that need programs beside Python's.

# Install Debian's packages: what they are for, then their names.
install_debian() {
  if [[ $(id -u) != 0 ]] || ! type apt-get >/dev/null 2>&1; then
    echo "error: $1 isn't here; only root on Debian or Ubuntu gets it installed" >&2
    exit 1
  fi
  local log
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes \
    --no-install-recommends "${@:2}"; } >"$log" 2>&1 </dev/null; then
    tail "$log" >&2
    echo "error: apt-get can't install $1" >&2
    exit 1
  fi
  rm "$log"
}
