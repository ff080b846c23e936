#!/usr/bin/env bash
# Command-line options for bash scripts, with the interface of Kaldi's parse_options.sh.
#
#   stage=1
#   force=false
#   help_message="Usage: ..."
#   . utils/parse_options.sh      # no arguments: it reads and shifts the script's own
#
# `--some-option value`, `--some_option value` and `--some_option=value` set the variable
# some_option, which must have a value (maybe an empty one) by then; the last one wins. A variable
# that is true or false stays one of the two; `--some_option` alone is true. `--config FILE` sources
# FILE at its place in that order. Options end at `--` or at the first argument that does not start
# with `--`; what is left stays in "$@". Values are never evaluated.

_options_fail() {
  printf '%s: error: %s\n' "${0##*/}" "$1" >&2
  exit 1
}

# Does the script have a variable that may be an option? (Not the environment's, in capitals.)
_options_known() {
  [[ $1 == [abcdefghijklmnopqrstuvwxyz]* && $1 != *[!a-zA-Z0-9_]* && -n ${!1+set} ]]
}

# Levenshtein distance of $1 and $2, left in _options_distance.
_options_measure() {
  local a=$1 b=$2 i j cost best diagonal above row=()
  for ((j = 0; j <= ${#b}; j++)); do row[j]=$j; done
  for ((i = 1; i <= ${#a}; i++)); do
    diagonal=${row[0]}
    row[0]=$i
    for ((j = 1; j <= ${#b}; j++)); do
      above=${row[j]}
      cost=1
      if [[ ${a:i-1:1} == "${b:j-1:1}" ]]; then cost=0; fi
      best=$((diagonal + cost))
      if ((above + 1 < best)); then best=$((above + 1)); fi
      if ((row[j - 1] + 1 < best)); then best=$((row[j - 1] + 1)); fi
      row[j]=$best
      diagonal=$above
    done
  done
  _options_distance=${row[${#b}]}
}

_options_unknown() {
  local _options_name _options_hint="" _options_least=$((${#1} / 3 + 1)) _options_distance
  for _options_name in $(compgen -v); do
    if ! _options_known "$_options_name" || [[ $_options_name == help_message ]]; then
      continue
    fi
    _options_measure "$1" "$_options_name"
    if ((_options_distance <= _options_least)); then
      _options_least=$((_options_distance - 1))
      _options_hint="; did you mean --$_options_name?"
    fi
  done
  _options_fail "unknown option --$1$_options_hint (--help lists the options)"
}

# Set variable $1 to $2; a variable that was true or false ($3) takes nothing else.
_options_set() {
  if [[ $3 == true || $3 == false ]] && [[ $2 != true && $2 != false ]]; then
    _options_fail "--$1 takes true or false, not '$2'"
  fi
  printf -v "$1" '%s' "$2" || _options_fail "--$1 can't be set"
}

# Is $1, as on the command line, a truth value's option?
_options_truth() {
  local _options_asked=${1#--}
  _options_asked=${_options_asked//-/_}
  _options_known "$_options_asked" &&
    [[ ${!_options_asked} == true || ${!_options_asked} == false ]]
}

# Source the file $1 under the same rules: no unknown names, truth values stay truth values.
_options_config() {
  local _options_file=$1 _options_name _options_before=" " _options_truths=()
  if [[ ! -f $_options_file || ! -r $_options_file ]]; then
    _options_fail "--config: can't read '$_options_file'"
  fi
  if [[ $_options_file != */* ]]; then _options_file=./$_options_file; fi
  for _options_name in $(compgen -v); do
    if ! _options_known "$_options_name"; then continue; fi
    _options_before+="$_options_name "
    if [[ ${!_options_name} == true || ${!_options_name} == false ]]; then
      _options_truths+=("$_options_name")
    fi
  done
  # shellcheck source=/dev/null
  . "$_options_file" || _options_fail "--config: '$_options_file' failed"
  for _options_name in $(compgen -v); do
    if _options_known "$_options_name" && [[ $_options_before != *" $_options_name "* ]]; then
      _options_fail "--config: '$_options_file' sets an unknown option, $_options_name"
    fi
  done
  for _options_name in ${_options_truths[@]+"${_options_truths[@]}"}; do
    _options_set "$_options_name" "${!_options_name}" true
  done
}

while (($# > 0)); do
  case $1 in
    --help | -h)
      printf '%s\n' "${help_message:-${0##*/} has no help message}"
      exit 0
      ;;
    --)
      shift
      break
      ;;
    --*=*)
      _options_name=${1%%=*}
      _options_value=${1#*=}
      shift
      ;;
    --*)
      _options_name=$1
      if (($# < 2)) || [[ $2 == --* ]] && _options_truth "$1"; then set -- "$1" true "${@:2}"; fi
      if (($# < 2)); then _options_fail "$1 needs a value"; fi
      _options_value=$2
      # An option where a value belongs: the value was forgotten. (`--name=--value` says it is one.)
      _options_next=${2#--}
      _options_next=${_options_next%%=*}
      if [[ $2 == --* ]] && _options_known "${_options_next//-/_}"; then
        _options_fail "$1 needs a value, but the option $2 follows"
      fi
      shift 2
      ;;
    *) break ;;
  esac
  _options_name=${_options_name#--}
  _options_name=${_options_name//-/_}
  if [[ $_options_name == config ]]; then
    _options_config "$_options_value"
  elif _options_known "$_options_name"; then
    _options_set "$_options_name" "$_options_value" "${!_options_name}"
  else
    _options_unknown "$_options_name"
  fi
done
unset _options_name _options_value _options_next
unset -f _options_fail _options_known _options_measure _options_unknown _options_set _options_truth _options_config
true
