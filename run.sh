#!/usr/bin/env bash
# Multi-task speech emotion recognition, stage by stage: from a corpus to a scored model.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

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

# Stages
stage=1              # first stage to run
stop_stage=7         # last stage to run
skip_data_prep=false # skip stages 1-4
skip_train=false     # skip stage 5
skip_eval=false      # skip stages 6-7
force=false          # redo what is done; training starts anew, the old experiment is set aside

# Machines
ngpu=                # GPUs per node (default: 1 if there is one)
num_nodes=1          # nodes for training
nj=$(nproc)          # parallel jobs of data preparation and transcription
inference_nj=$((nj < 8 ? nj : 8)) # parallel jobs of inference, each with the model in memory
gpu_inference=false  # give each inference job a GPU
cmd=$root/utils/run.pl # how to start jobs: utils/run.pl (here) or utils/slurm.pl

# Data
datadir=$root/egs/$recipe/data # label files
dumpdir=$root/egs/$recipe/dump # audio at 16 kHz, and transcripts
expdir=$root/egs/$recipe/exp   # statistics and experiments
train_set=train      # sets to train on, separated by spaces
valid_set=valid      # sets to select the best epochs on
test_sets="test"     # sets to test on
fold=                # of recipes with folds: a fold's name, or all
speed_perturb_factors= # copies of the training sets at these speeds, e.g. "0.9 1.1"
max_unreadable=0.01  # share of audio files that may be unreadable
whisper_model=none   # Whisper model to transcribe with: a name, a checkpoint, or none
whisper_language=auto # language to force, or auto
token_type=bpe       # bpe or char
nbpe=500             # vocabulary size, fewer in small corpora

# Training
train_config=        # overlays on conf/train.yaml and the recipe's own, separated by spaces
train_args=          # e.g. "--max_epoch 3 --model_conf swfc.gamma=1"
train_tag=           # name of the experiment (default: from overlays and arguments)
ssl_model=           # encoder in place of the configuration's: a hub name or a folder

# Inference and scoring
inference_config=$root/conf/infer.yaml
inference_args=      # e.g. "--batch_seconds 60"
inference_tag=       # suffix of the inference folder
extra_labels=        # CSV with further labels of the test utterances

recipe_dir=$root/egs/$recipe
if [ ! -f "$recipe_dir/recipe.conf" ]; then
    echo "error: there is no recipe '$recipe'; there are: $(cd "$root/egs" && echo */)" >&2
    exit 1
fi
corpus_options=() # what the recipe declares beyond the options above
while read -r name; do
    if [ -z "${!name+set}" ]; then corpus_options+=("$name"); fi
done < <(sed -n 's/^\([a-z_]*\)=.*/\1/p' "$recipe_dir/recipe.conf")
# shellcheck source=/dev/null
. "$recipe_dir/recipe.conf"

# shellcheck disable=SC2034  # parse_options.sh prints it
help_message="Usage: run.sh [--recipe NAME] [--option value ...]
Recipes: $(cd "$root/egs" && echo */ | tr -d /)
$(sed -n '/^# Stages/,/^recipe_dir=/{/^recipe_dir=/d;p}' "${BASH_SOURCE[0]}")
# Of the recipe $recipe
$(cat "$recipe_dir/recipe.conf")"
. "$root/utils/parse_options.sh"
if [ $# -gt 0 ]; then
    echo "error: run.sh takes options only, not '$1' (see --help)" >&2
    exit 1
fi

"$root/tools/setup.sh"
. "$root/tools/path.sh"
if [ -z "$ngpu" ]; then
    if nvidia-smi -L >/dev/null 2>&1; then ngpu=1; else ngpu=0; fi
fi
if [ -z "$train_tag" ]; then
    train_tag=$(python -m sermtl.bin.tag --train_config "$train_config" \
        --train_args "$train_args" --ssl_model "$ssl_model")
fi
stats=$expdir/stats tokens=$dumpdir/tokens exp=$expdir/$train_tag
labels=() configs=("$root/conf/train.yaml") corpus_args=()
if [ -f "$recipe_dir/labels.yaml" ]; then labels=(--labels "$recipe_dir/labels.yaml"); fi
if [ -f "$recipe_dir/conf/train.yaml" ]; then configs+=("$recipe_dir/conf/train.yaml"); fi
read -ra overlays <<<"$train_config"
for name in ${corpus_options[@]+"${corpus_options[@]}"}; do corpus_args+=("$name=${!name}"); done
gpus_of_inference=0
if $gpu_inference; then gpus_of_inference=1; fi

# begin N SKIP TITLE: whether stage N is asked for, and its headline.
begin() {
    if [ "$stage" -gt "$1" ] || [ "$stop_stage" -lt "$1" ] || $2; then return 1; fi
    echo "Stage $1: $3"
}

if begin 1 "$skip_data_prep" "data preparation"; then
    python -m sermtl.bin.prepare --recipe "$recipe" ${labels[@]+"${labels[@]}"} \
        --datadir "$datadir" --dumpdir "$dumpdir" --nj "$nj" --force "$force" \
        --max_unreadable "$max_unreadable" --train_set "$train_set" \
        --speed_perturb_factors "$speed_perturb_factors" \
        --corpus_args ${corpus_args[@]+"${corpus_args[@]}"}
fi

if begin 2 "$skip_data_prep" "transcription"; then
    python -m sermtl.bin.transcribe --dumpdir "$dumpdir" --whisper_model "$whisper_model" \
        --language "$whisper_language" --nj "$nj" --ngpu "$ngpu" --cmd "$cmd" --force "$force"
fi

if begin 3 "$skip_data_prep" "tokenization"; then
    python -m sermtl.bin.tokenize --dumpdir "$dumpdir" --datadir "$datadir" \
        --tokensdir "$tokens" --train_set "$train_set" --fold "$fold" \
        --token_type "$token_type" --nbpe "$nbpe" --force "$force"
fi

if begin 4 "$skip_data_prep" "statistics"; then
    python -m sermtl.bin.stats --dumpdir "$dumpdir" --datadir "$datadir" --statsdir "$stats" \
        ${labels[@]+"${labels[@]}"} --train_set "$train_set" --valid_set "$valid_set" \
        --speed_perturb_factors "$speed_perturb_factors" --fold "$fold" --force "$force"
fi

if begin 5 "$skip_train" "training"; then
    python -m sermtl.bin.train --expdir "$exp" --statsdir "$stats" --tokensdir "$tokens" \
        --datadir "$datadir" --dumpdir "$dumpdir" --train_set "$train_set" \
        --valid_set "$valid_set" --speed_perturb_factors "$speed_perturb_factors" \
        --fold "$fold" --train_args "$train_args" \
        --ssl_model "$ssl_model" --configs "${configs[@]}" ${overlays[@]+"${overlays[@]}"} \
        --ngpu "$ngpu" --num_nodes "$num_nodes" --cmd "$cmd" --force "$force"
fi

if begin 6 "$skip_eval" "inference"; then
    python -m sermtl.bin.infer --expdir "$exp" --dumpdir "$dumpdir" --datadir "$datadir" \
        --test_sets "$test_sets" --fold "$fold" --inference_config "$inference_config" \
        --inference_args "$inference_args" --inference_tag "$inference_tag" --cmd "$cmd" \
        --inference_nj "$inference_nj" --ngpu "$gpus_of_inference" --force "$force"
fi

if begin 7 "$skip_eval" "scoring"; then
    python -m sermtl.bin.score --expdir "$exp" --dumpdir "$dumpdir" --datadir "$datadir" \
        --train_set "$train_set" --test_sets "$test_sets" --fold "$fold" \
        --inference_tag "$inference_tag" --extra_labels "$extra_labels" --force "$force"
fi

if begin 8 false "packing"; then
    python -m sermtl.bin.pack --expdir "$exp" --fold "$fold" --name "${recipe}_$train_tag"
fi
