"""Stage 7: scores with intervals, RESULTS.md and plots."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sermtl.data.audio import UNREADABLE, audio_files
from sermtl.errors import UserError, run_main
from sermtl.files import atomic_write
from sermtl.inference import EMBEDDINGS, TABLE
from sermtl.scoring import plots
from sermtl.scoring.options import (
    add_evaluation_options,
    add_label_options,
    answers_of,
    inventory,
    places_of,
    remember,
    results_folder,
)
from sermtl.scoring.predictions import REFERENCES
from sermtl.scoring.provenance import provenance
from sermtl.scoring.scores import reference, set_scores
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
    parser.add_argument("--submission_sets", default="", help="write FileName,EmoClass for these")
    parser.add_argument("--force", choices=["true", "false"], default="false")
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parser.parse_args(arguments)

    target = results_folder(args, args.expdir)
    parts = places_of(args, args.expdir, args.train_set)
    models = {part.run.name: args.expdir / part.run.name for part in parts}
    inventories = [inventory(args), *(p.recipe.inventory for p in parts if p.recipe)]
    work = Stage(
        target / "scored.json",
        {
            "parts": [(part.title, str(part.folder)) for part in parts],
            "train": [part.run.train for part in parts],
            "submission_sets": args.submission_sets,
            "labels": [vars(labels) for labels in inventories if labels],
        },
        _inputs(parts, models, args),
    )
    if not work.is_done() or args.force == "true":
        work.finish(_score(target, parts, models, args, arguments))
    remember(args)
    print(summary(json.loads((target / "results.json").read_text(encoding="utf-8"))))
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
    pictures = _plot(target, sets, results, models)
    facts = provenance(models, "sermtl.bin.score", arguments)
    with atomic_write(target / "results.json") as stream:
        json.dump(results, stream, indent=1, ensure_ascii=False)
    with atomic_write(target / "RESULTS.md") as stream:
        stream.write(results_md(args.expdir.name, results, facts, pictures))
    files = ["results.json", "RESULTS.md"]
    files += [file for named in pictures.values() for _, file in named]
    return [*(target / file for file in files), *submissions]


def _inputs(
    parts: Sequence[Place], models: dict[str, Path], args: argparse.Namespace
) -> list[Path]:
    files = [model / name for model in models.values() for name in MODEL_FILES]
    for part in parts:
        files += [part.folder / TABLE, part.folder / EMBEDDINGS]
        files += [part.dump / name for name in (*REFERENCES.values(), CORPUS_TEXT, UNREADABLE)]
        files += audio_files(part.dump)
        files += [args.dumpdir / name / "text" for name in part.run.train]
        files += [args.dumpdir / name / REPORT_NUMBERS for name in part.run.train]
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


def _plot(
    target: Path,
    sets: dict[str, AnsweredSet],
    results: dict[str, dict[str, Any]],
    models: dict[str, Path],
) -> dict[str, list[tuple[str, str]]]:
    """Draw what there are data for: (title, file name) by set, the model's own under ``""``."""
    pictures: dict[str, list[tuple[str, str]]] = {}

    def add(name: str, title: str, file: str) -> Path:
        pictures.setdefault(name, []).append((title, file))
        return target / file

    for name, of in sets.items():
        parts, scores = of.parts, results[name]
        if "confusion" in scores:
            path = add(name, "Confusion matrix", f"confusion_{name}.png")
            plots.confusion_matrix(path, scores["confusion"], scores["labels"])
        emotions, classes = reference(parts, "emotion"), parts[0].classes
        tasks = list(parts[0].task_weights)
        # Folds whose labels switch different tasks off have no weights in common.
        alike = all(list(part.task_weights) == tasks for part in parts)
        if tasks and alike and set(emotions) & set(classes):
            weights = {t: np.concatenate([part.task_weights[t] for part in parts]) for t in tasks}
            path = add(name, "Task weights by emotion", f"task_weights_{name}.png")
            plots.task_weights(path, weights, emotions, classes)
    read = {
        file: {
            name: json.loads((model / file).read_text(encoding="utf-8"))
            for name, model in models.items()
            if (model / file).exists()
        }
        for file in ("history.json", "layer_weights.json")
    }
    if histories := read["history.json"]:
        plots.learning_curves(add("", "Learning curves", "learning_curves.png"), histories)
    if layers := read["layer_weights.json"]:
        weights = {name: content["weights"] for name, content in layers.items()}
        plots.layer_weights(add("", "Layer weights", "layer_weights.png"), weights)
    return pictures


if __name__ == "__main__":
    run_main(main)
