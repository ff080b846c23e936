"""Stage 7: scores with intervals, RESULTS.md and plots."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from sermtl.canvas import files as files_of
from sermtl.data.audio import UNREADABLE, audio_files
from sermtl.data.splits import Run
from sermtl.documents import read_json
from sermtl.errors import UserError, run_main
from sermtl.files import atomic_write, exclusive
from sermtl.inference import EMBEDDINGS, TABLE
from sermtl.scoring.label_counts import label_files
from sermtl.scoring.options import (
    add_evaluation_options,
    add_label_options,
    answers_of,
    inventory,
    places_of,
    remember,
    results_folder,
)
from sermtl.scoring.pictures import draw_experiment, draw_set
from sermtl.scoring.predictions import LABEL_FILES
from sermtl.scoring.provenance import provenance
from sermtl.scoring.scores import set_scores
from sermtl.scoring.submission import write_submission
from sermtl.scoring.tables import results_md, summary
from sermtl.scoring.tested import AnsweredSet, Place
from sermtl.stage import Stage
from sermtl.transcription.dumped_set import CORPUS_TEXT, REPORT_NUMBERS

MODEL_FILES = ("layer_weights.json", "history.json", "parameters.json")


def main(argv: Sequence[str] | None = None) -> None:
    """Score what isn't scored yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_evaluation_options(parser)
    add_label_options(parser)
    parser.add_argument("--valid_set", default="", help="sets selected on, without folds")
    parser.add_argument("--submission_sets", default="", help="write FileName,EmoClass for these")
    parser.add_argument("--force", choices=["true", "false"], default="false")
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parser.parse_args(arguments)

    target = results_folder(args, args.expdir)
    parts = places_of(args, args.expdir, args.train_set, args.valid_set)
    models = {part.run.name: args.expdir / part.run.name for part in parts}
    inventories = [inventory(args), *(p.recipe.inventory for p in parts if p.recipe)]
    work = Stage(
        target / "scored.json",
        {
            "parts": [(part.title, str(part.folder)) for part in parts],
            "train": [part.run.train for part in parts],
            "valid": [part.run.valid for part in parts],
            "submission_sets": args.submission_sets,
            "labels": [vars(labels) for labels in inventories if labels],
        },
        _inputs(parts, models, args),
    )
    if not work.is_done() or args.force == "true":
        with exclusive(target, ".score.lock"):
            work.finish([*_score(target, parts, models, args, arguments), remember(args)])
    print(summary(read_json(target / "results.json", "give --force true")))
    print(f"written: {target}/RESULTS.md, results.json beside it, and plots")


def _score(
    target: Path,
    parts: list[Place],
    models: dict[str, Path],
    args: argparse.Namespace,
    arguments: list[str],
) -> list[Path]:
    """Score, draw and write; returns what is written."""
    sets = answers_of(args, parts)
    results = {t: set_scores(of.parts, of.closed, of.shared) for t, of in sets.items()}
    submissions = _submit(target, parts, sets, args)
    own = inventory(args)
    names = own.classes if own else {}
    pictures = {t: draw_set(target, t, of, results[t], names) for t, of in sets.items()}
    classes = next(iter(sets.values())).parts[0].classes
    runs = _runs(parts)
    pictures[""] = draw_experiment(target, models, args.dumpdir, runs, classes, names)
    facts = provenance(models, "sermtl.bin.score", arguments)
    with atomic_write(target / "results.json") as stream:
        json.dump(results, stream, indent=1, ensure_ascii=False)
    with atomic_write(target / "RESULTS.md") as stream:
        stream.write(results_md(args.expdir.name, results, facts, pictures))
    files = ["results.json", "RESULTS.md"]
    files += [file for drawn in pictures.values() for _, name in drawn for file in files_of(name)]
    return [*(target / file for file in files), *submissions]


def _runs(parts: Sequence[Place]) -> list[Run]:
    return list({part.run.name: part.run for part in parts}.values())


def _inputs(
    parts: Sequence[Place], models: dict[str, Path], args: argparse.Namespace
) -> list[Path]:
    files = [model / name for model in models.values() for name in MODEL_FILES]
    for part in parts:
        files += [part.folder / TABLE, part.folder / EMBEDDINGS]
        files += [part.dump / name for name in (*LABEL_FILES.values(), CORPUS_TEXT, UNREADABLE)]
        files += audio_files(part.dump)
        files += [args.dumpdir / name / f for name in part.run.train for f in LABEL_FILES.values()]
        files += [args.dumpdir / name / REPORT_NUMBERS for name in part.run.train]
    files += label_files(args.dumpdir, _runs(parts))
    return [*files, Path(args.extra_labels)] if args.extra_labels else files


def _submit(
    target: Path, parts: Sequence[Place], sets: dict[str, AnsweredSet], args: argparse.Namespace
) -> list[Path]:
    """The answers for the sets of a challenge, as it wants them."""
    written = []
    own = {part.title: part.dump for part in parts if not part.recipe and not part.run.name}
    for name in args.submission_sets.split():
        if name not in own:
            continue
        answered = sets[name].parts[0]
        answers = dict(zip(answered.ids, answered.answers["emotion"], strict=True))
        path = target / f"submission_{name}.csv"
        try:
            write_submission(path, answers, answered.classes, args.datadir / name, own[name])
        except UserError as error:  # other sets are scored all the same
            print(f"no {path.name}: {error}")
        else:
            written.append(path)
            print(f"{path}: the answers for {name}, one for each file")
    return written


if __name__ == "__main__":
    run_main(main)
