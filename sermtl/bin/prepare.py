"""Stage 1: read a corpus, write validated data dirs, dump the audio at 16 kHz."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from sermtl.corpora import load_corpus
from sermtl.data import SAMPLE_RATE
from sermtl.data.audio import DIGESTS, UNREADABLE, audio_files
from sermtl.data.datadir import label_columns, write_column, write_data_dir
from sermtl.data.dump import Dumped, dump_audio, source_of
from sermtl.data.labels import load_labels
from sermtl.data.speed_perturbation import original_set, parse_factors, perturb
from sermtl.data.splits import is_set_name, write_folds
from sermtl.data.tasks import LABEL_FILES
from sermtl.data.utterance import UNKNOWN, Corpus, Utterance
from sermtl.errors import UserError, run_main
from sermtl.files import exclusive, remove
from sermtl.options import positive_int, share
from sermtl.stage import Stage

MARKER = "prepared.json"


def main(argv: Sequence[str] | None = None) -> None:
    """Prepare every set of the recipe whose corpus or options changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--labels", type=Path, help="labels.yaml of the recipe")
    parser.add_argument("--datadir", type=Path, required=True)
    parser.add_argument("--dumpdir", type=Path, required=True)
    parser.add_argument(
        "--nj", type=positive_int, default=os.cpu_count() or 1, help="parallel processes"
    )
    parser.add_argument("--max_unreadable", type=share, default=0.01, help="share of the clips")
    parser.add_argument("--train_set", default="", help="sets to learn from, without folds")
    parser.add_argument(
        "--speed_perturb_factors", default="", help="copies of the training sets, e.g. '0.9 1.1'"
    )
    parser.add_argument("--force", choices=["true", "false"], default="false")
    parser.add_argument("--corpus_args", nargs="*", default=[], metavar="NAME=VALUE")
    args = parser.parse_args(argv)

    if not 0 <= args.max_unreadable <= 1:
        raise UserError(f"--max_unreadable is a share from 0 to 1, not {args.max_unreadable}")
    with exclusive(args.dumpdir), exclusive(args.datadir, ".data.lock"):
        _prepare_corpus(args)


def _prepare_corpus(args: argparse.Namespace) -> None:
    if wrong := [pair for pair in args.corpus_args if "=" not in pair]:
        raise UserError(f"--corpus_args takes NAME=VALUE, not {wrong[0]!r}")
    options = dict(pair.split("=", 1) for pair in args.corpus_args)
    labels = load_labels(args.labels) if args.labels else None
    corpus = load_corpus(args.recipe, labels, args.datadir, options)
    for note in corpus.notes:
        print(f"note: {note}")
    factors = parse_factors(args.speed_perturb_factors)
    learnt_from = {name for split in corpus.folds.values() for name in split.train}
    learnt_from |= set(args.train_set.split())
    originals = [u for u in corpus.utterances if u.split in learnt_from]
    corpus.utterances += perturb(originals, factors)
    sets = _sets(corpus)
    for marker in sorted(args.dumpdir.glob(f"*/{MARKER}")):  # only what this command has made
        name = marker.parent.name
        if name in sets or _is_copy(name, sets, args):
            continue
        print(f"note: {name} is no set of the corpus any more: removed")
        remove(args.datadir / name)
        remove(args.dumpdir / name)
    for name, utterances in sets.items():
        _prepare(name, utterances, args)
    write_folds(args.datadir, corpus.folds)


def _sets(corpus: Corpus) -> dict[str, list[Utterance]]:
    """Utterances by set, after checking what files can't say."""
    sets: dict[str, list[Utterance]] = defaultdict(list)
    seen: dict[str, Utterance] = {}
    for u in corpus.utterances:
        if u.id in seen:
            raise UserError(f"utterance id {u.id} stands for {seen[u.id].audio} and {u.audio}")
        if not is_set_name(u.split):
            raise UserError(f"{u.id}: {u.split!r} can't be the name of a set")
        seen[u.id] = u
        sets[u.split].append(u)
    if not sets:
        raise UserError("the corpus has no utterances")
    return dict(sets)


def _is_copy(name: str, sets: dict[str, list[Utterance]], args: argparse.Namespace) -> bool:
    """Whether a set is another run's copy, at another speed, of one that is as it was."""
    original, factor = original_set(name) or ("", "")
    copies = perturb(sets.get(original, []), [factor])
    return bool(copies) and _stage(name, copies, args).is_done()


def _stage(name: str, utterances: list[Utterance], args: argparse.Namespace) -> Stage:
    record = [source_of(u) for u in sorted(utterances, key=lambda u: u.id)]
    content = json.dumps([record, label_columns(utterances)], sort_keys=True)
    options = {"content": hashlib.sha256(content.encode()).hexdigest()}
    options["max_unreadable"] = args.max_unreadable
    return Stage(args.dumpdir / name / MARKER, options)


def _prepare(name: str, utterances: list[Utterance], args: argparse.Namespace) -> None:
    data, dump = args.datadir / name, args.dumpdir / name
    columns = label_columns(utterances)
    stage = _stage(name, utterances, args)
    if stage.is_done() and args.force != "true":
        print(f"{name}: done")
        return
    if args.force == "true":
        for marker in dump.glob("wav.*.done.json"):
            marker.unlink()
    dumped = dump_audio(utterances, dump, args.nj, args.max_unreadable)
    readable = dumped.places.keys()
    if not readable:
        raise UserError(f"no clip of {name} can be read; see {dump / UNREADABLE}")
    columns = {file: {u: v for u, v in c.items() if u in readable} for file, c in columns.items()}
    columns["utt2dur"] = {u: f"{n / SAMPLE_RATE:.3f}" for u, n in dumped.samples.items()}
    originals = {u.id: str(Path(u.audio).absolute()) for u in utterances if u.id in readable}
    write_data_dir(data, {"wav.scp": originals, **columns})
    write_data_dir(dump, {"wav.scp": dumped.places, **columns})
    write_column(dump / "utt2num_samples", {u: str(n) for u, n in dumped.samples.items()})
    write_column(dump / DIGESTS, dumped.digests)
    # Stage 2 rewrites the dump's text, so that file is not this stage's output to watch.
    files = [data / file for file in ("wav.scp", *LABEL_FILES.values(), "utt2dur", "spk2utt")]
    archives = [dump / name for name in dumped.digests]
    if dumped.changed:
        print(
            f"warning: {len(dumped.changed)} audio files of {name} changed or went while they were "
            f"read, e.g. that of {min(dumped.changed)}: run stage 1 again when that is over",
            file=sys.stderr,
        )
    else:
        stage.finish([*files, *audio_files(dump), *archives, dump / "utt2num_samples"])
    print(_summary(name, columns, dumped))


def _summary(name: str, columns: dict[str, dict[str, str]], dumped: Dumped) -> str:
    hours = sum(map(float, columns["utt2dur"].values())) / 3600
    known = [
        f"{label} {sum(value != UNKNOWN for value in columns[file].values())}"
        for label, file in LABEL_FILES.items()
    ]
    speakers = len(Counter(columns["utt2spk"].values()).keys() - {UNKNOWN})
    text = (
        f"{name}: {len(columns['utt2dur'])} utterances, {hours:.2f} h, {speakers} speakers; "
        f"labelled: {', '.join(known)}"
    )
    if dumped.silent:
        text += f"; {len(dumped.silent)} without any sound, e.g. {min(dumped.silent)}"
    if dumped.unreadable:
        text += f"; {len(dumped.unreadable)} unreadable, left out"
    return text


if __name__ == "__main__":
    run_main(main)
