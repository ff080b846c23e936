#!/usr/bin/env bash
# Multi-task speech emotion recognition, stage by stage: from a corpus to a scored model.
set -euo pipefail
unset CDPATH
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

# The recipe comes first: it may change the defaults below and has options of its own.
SERMTL_COMMAND="./run.sh${*:+ $(printf '%q ' "$@")}" # for the results page
export SERMTL_COMMAND
recipe=demo
for ((i = 1; i <= $#; i++)); do
    j=$((i + 1))
    case ${!i} in
    --recipe) recipe=${!j:-} ;;
    --recipe=*) recipe=${!i#*=} ;;
    esac
done
unset i j # options are the variables in small letters

# Stages
stage=1              # first stage to run
stop_stage=7         # last stage to run
skip_data_prep=false # skip stages 1-4
skip_train=false     # skip stage 5
skip_eval=false      # skip stages 6-7
force=false          # redo what is done; training starts anew, the old experiment is set aside
ablations=false      # the proposed system and its ablations one after the other, and the paper's tables

# Machines
ngpu=                # GPUs per node (default: 1 if there is one)
num_nodes=1          # nodes for training
dist_timeout=        # seconds that a process of a training waits for another (default: 600)
nj=$(nproc)          # parallel jobs of data preparation and transcription
inference_nj=$((nj < 8 ? nj : 8)) # parallel jobs of inference, each with the model in memory
gpu_inference=false  # give each inference job a GPU
cmd=$ROOT/utils/run.pl # how to start jobs: utils/run.pl (here) or utils/slurm.pl

# Data
datadir=$ROOT/egs/$recipe/data # label files
dumpdir=$ROOT/egs/$recipe/dump # audio at 16 kHz, and transcripts
expdir=$ROOT/egs/$recipe/exp   # statistics and experiments
train_set=train      # sets to train on, separated by spaces
valid_set=valid      # sets to select the best epochs on
test_sets="test"     # sets to test on
submission_sets=     # test sets whose answers are written as a challenge wants them: FileName,EmoClass
test_recipes=        # prepared recipes whose test sets are added, e.g. "emotiw2018 custom=FOLDER"
fold=                # of recipes with folds: a fold's name, or all
speed_perturb_factors= # copies of the training sets at these speeds, e.g. "0.9 1.1"
max_unreadable=0.01  # share of audio files that may be unreadable
whisper_model=none   # Whisper model to transcribe with: a name, a checkpoint, or none
whisper_language=auto # language to force, or auto
whisper_args=        # e.g. "--logprob_threshold -0.8 --text_normalizer plain"
token_type=bpe       # bpe or char
nbpe=500             # vocabulary size, fewer in small corpora

# Training
train_config=        # overlays on conf/train.yaml and the recipe's own, separated by spaces
train_args=          # e.g. "--max_epoch 3 --model_conf swfc.gamma=1"
train_tag=           # name of the experiment (default: from overlays and arguments)
ssl_model=           # encoder in place of the configuration's: a hub name or a folder

# Inference and scoring
inference_config=$ROOT/conf/infer.yaml
inference_args=      # e.g. "--batch_seconds 60"
inference_tag=       # suffix of the inference folder
extra_labels=        # CSV with further labels of the test utterances

# Packing
about=$ROOT/egs/$recipe/README.md # text about the training data, for the model card
license=             # of the weights, as the Hugging Face hub names it (default: the data's terms)
push_to_hub=         # repository to upload the packed model to, e.g. org/name; private at first

RECIPE_DIR=$ROOT/egs/$recipe
if [[ ! $recipe =~ ^[[:alnum:]_][[:alnum:]_-]*$ || ! -f $RECIPE_DIR/recipe.conf ]]; then
    echo "error: there is no recipe '$recipe'; there are: $(cd "$ROOT/egs" && echo */ | tr -d /)" >&2
    exit 1
fi
corpus_options=() # what the recipe declares beyond the options above
while read -r name; do
    if [ -z "${!name+set}" ]; then corpus_options+=("$name"); fi
done < <(sed -n 's/^\([a-z][a-z0-9_]*\)=.*/\1/p' "$RECIPE_DIR/recipe.conf")
unset name
# shellcheck source=/dev/null
. "$RECIPE_DIR/recipe.conf"

# shellcheck disable=SC2034  # parse_options.sh prints it
help_message="Usage: run.sh [--recipe NAME] [--option value ...]
Recipes: $(cd "$ROOT/egs" && echo */ | tr -d /)
$(sed -n '/^# Stages/,/^RECIPE_DIR=/{/^RECIPE_DIR=/d;p}' "${BASH_SOURCE[0]}")
# Of the recipe $recipe
$(cat "$RECIPE_DIR/recipe.conf")"
ARGUMENTS=("$@") # in capitals, or it would be an option
. "$ROOT/utils/parse_options.sh"
if [ $# -gt 0 ]; then
    echo "error: run.sh takes options only, not '$1' (see --help)" >&2
    exit 1
fi
# Numbers are checked before they are compared: bash runs what it finds in an index, a[$(...)].
for number in stage stop_stage num_nodes nj inference_nj nbpe ${dist_timeout:+dist_timeout}; do
    if [[ ! ${!number} =~ ^[1-9][0-9]{0,8}$ ]]; then
        echo "error: --$number takes a whole number from 1 on, not '${!number}'" >&2
        exit 1
    fi
done
if [[ ! $ngpu =~ ^(|0|[1-9][0-9]{0,8})$ ]]; then
    echo "error: --ngpu takes a whole number from 0 on, not '$ngpu'" >&2
    exit 1
fi
if ((stage > stop_stage || stop_stage > 8)); then
    echo "error: stages are 1 to 8, so --stage $stage to --stop_stage $stop_stage is none" >&2
    exit 1
fi
for name in datadir dumpdir expdir; do # the same from every folder
    if [[ ${!name} != /* ]]; then printf -v "$name" %s "$PWD/${!name}"; fi
    if [[ ${!name} == *$'\n'* ]]; then
        echo "error: --$name can't have a line break, at which lists of files would end" >&2
        exit 1
    fi
done
if [[ $expdir == *,* ]]; then
    echo "error: --expdir '$expdir' can't have a comma, at which ESPnet divides its arguments" >&2
    exit 1
fi

"$ROOT/tools/setup.sh"
. "$ROOT/tools/path.sh"
if [ -z "$ngpu" ]; then
    if nvidia-smi -L >/dev/null 2>&1; then ngpu=1; else ngpu=0; fi
fi
labels=()
if [ -f "$RECIPE_DIR/labels.yaml" ]; then labels=(--labels "$RECIPE_DIR/labels.yaml"); fi
tests=(--dumpdir "$dumpdir" --datadir "$datadir" --test_sets "$test_sets" --fold "$fold"
    --test_recipes "$test_recipes" --recipes_dir "$ROOT/egs" --inference_tag "$inference_tag")
references=(${labels[@]+"${labels[@]}"} --train_set "$train_set" --extra_labels "$extra_labels")
if $ablations; then # this script for each system
    exec python -m sermtl.bin.ablate --run_sh "$ROOT/run.sh" --recipe "$recipe" \
        --expdir "$expdir" "${tests[@]}" "${references[@]}" --conf_dir "$ROOT/conf" \
        --train_config "$train_config" --train_args="$train_args" --train_tag "$train_tag" \
        --ssl_model "$ssl_model" --stop_stage "$stop_stage" --skip_eval "$skip_eval" \
        -- "${ARGUMENTS[@]}"
fi
train_tag=$(python -m sermtl.bin.tag --tag="$train_tag" --train_config="$train_config" \
    --train_args="$train_args" --ssl_model="$ssl_model")
# What is made from other sets or with other options has another place.
split=${fold:+folds} speeds=${speed_perturb_factors:+_sp${speed_perturb_factors// /_}}
split=${split:-${train_set// /+}_${valid_set// /+}}
stats=$expdir/stats_$split$speeds tokens=$dumpdir/tokens/${split}_$token_type$nbpe
exp=$expdir/$train_tag
configs=("$ROOT/conf/train.yaml") corpus_args=()
if [ -f "$RECIPE_DIR/conf/train.yaml" ]; then configs+=("$RECIPE_DIR/conf/train.yaml"); fi
read -ra overlays <<<"$train_config"
for name in ${corpus_options[@]+"${corpus_options[@]}"}; do corpus_args+=("$name=${!name}"); done
gpus_of_inference=0
if $gpu_inference; then gpus_of_inference=$((ngpu > 0 ? ngpu : 1)); fi

# run COMMAND OPTIONS: a stage's work; stopping this script stops it, too.
run() {
    python -m "sermtl.bin.$1" "${@:2}" &
    wait $!
}
trap 'kill -TERM "${!:-}" 2>/dev/null; wait; exit 143' TERM HUP
trap 'wait; exit 130' INT

# begin N SKIP TITLE: whether stage N is asked for, and its headline.
begin() {
    if [ "$stage" -gt "$1" ] || [ "$stop_stage" -lt "$1" ] || $2; then return 1; fi
    finish
    title="$1 $3" began=$SECONDS
    echo "${bold}Stage $1: $3$plain"
}

# finish: how long the stage before took, for the table at the end.
finish() {
    if [ -n "$title" ]; then times+="$(line "$title" $((SECONDS - began)))"$'\n'; fi
}
line() { printf '  %-20s %d:%02d:%02d' "$1" $(($2 / 3600)) $(($2 / 60 % 60)) $(($2 % 60)); }
title='' times='' bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; fi

if begin 1 "$skip_data_prep" "data preparation"; then
    run prepare --recipe "$recipe" ${labels[@]+"${labels[@]}"} \
        --datadir "$datadir" --dumpdir "$dumpdir" --nj "$nj" --force "$force" \
        --max_unreadable "$max_unreadable" --train_set "$train_set" \
        --speed_perturb_factors "$speed_perturb_factors" \
        --corpus_args ${corpus_args[@]+"${corpus_args[@]}"}
fi

if begin 2 "$skip_data_prep" "transcription"; then
    run transcribe --dumpdir "$dumpdir" --datadir "$datadir" --fold "$fold" \
        --train_set "$train_set" --valid_set "$valid_set" --test_sets "$test_sets" \
        --whisper_model "$whisper_model" --whisper_language "$whisper_language" --nj "$nj" \
        --ngpu "$ngpu" --cmd "$cmd" --force "$force" --whisper_args="$whisper_args"
fi

if begin 3 "$skip_data_prep" "tokenization"; then
    run tokenize --dumpdir "$dumpdir" --datadir "$datadir" \
        --tokensdir "$tokens" --train_set "$train_set" --fold "$fold" \
        --token_type "$token_type" --nbpe "$nbpe" --force "$force"
fi

if begin 4 "$skip_data_prep" "statistics"; then
    run stats --dumpdir "$dumpdir" --datadir "$datadir" --statsdir "$stats" \
        ${labels[@]+"${labels[@]}"} --train_set "$train_set" --valid_set "$valid_set" \
        --test_sets "$test_sets" --speed_perturb_factors "$speed_perturb_factors" \
        --fold "$fold" --force "$force"
fi

if begin 5 "$skip_train" "training"; then
    run train --expdir "$exp" --statsdir "$stats" --tokensdir "$tokens" \
        --datadir "$datadir" --dumpdir "$dumpdir" --train_set "$train_set" \
        --valid_set "$valid_set" --speed_perturb_factors "$speed_perturb_factors" \
        --fold "$fold" --train_args="$train_args" \
        --ssl_model "$ssl_model" --configs "${configs[@]}" ${overlays[@]+"${overlays[@]}"} \
        --ngpu "$ngpu" --num_nodes "$num_nodes" ${dist_timeout:+--dist_timeout "$dist_timeout"} \
        --cmd "$cmd" --force "$force"
fi

if begin 6 "$skip_eval" "inference"; then
    run infer --expdir "$exp" "${tests[@]}" --inference_config "$inference_config" \
        --inference_args="$inference_args" --inference_nj "$inference_nj" \
        --ngpu "$gpus_of_inference" --cmd "$cmd" --force "$force"
fi

if begin 7 "$skip_eval" "scoring"; then
    run score --expdir "$exp" "${tests[@]}" "${references[@]}" --valid_set "$valid_set" \
        --submission_sets "$submission_sets" --force "$force"
fi

if begin 8 false "packing"; then
    run pack --expdir "$exp" --fold "$fold" --name "${recipe}_$train_tag${fold:+_fold$fold}" \
        --about "$about" --license "$license" --push_to_hub "$push_to_hub"
fi

finish
printf '%s\n%s%s\n' "${bold}Time$plain" "$times" "$(line 'in all' $SECONDS)"
