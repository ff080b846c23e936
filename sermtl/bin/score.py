"""Stage 7: scores with intervals, RESULTS.md and plots."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sermtl.data.audio import UNREADABLE
from sermtl.data.splits import Run, resolve_splits
from sermtl.errors import UserError, run_main
from sermtl.files import atomic_write
from sermtl.inference import EMBEDDINGS, TABLE, folder_name
from sermtl.scoring import plots
from sermtl.scoring.predictions import (
    CORPUS_TEXT,
    REFERENCES,
    Predicted,
    read_extra_labels,
    read_predictions,
    read_training_texts,
)
from sermtl.scoring.provenance import provenance
from sermtl.scoring.scores import reference, set_scores
from sermtl.scoring.tables import results_md, summary
from sermtl.stage import Stage

POOLED = "test"
"""Name under which the folds' test utterances are scored together."""
MODEL_FILES = ("layer_weights.json", "history.json", "parameters.json")


def main(argv: Sequence[str] | None = None) -> None:
    """Score what isn't scored yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expdir", type=Path, required=True, help="exp/<tag>")
    parser.add_argument("--dumpdir", type=Path, required=True)
    parser.add_argument("--datadir", type=Path, required=True)
    parser.add_argument("--test_sets", default="", help="unless the recipe has folds")
    parser.add_argument("--train_set", default="", help="for the WER on unseen sentences")
    parser.add_argument("--fold", default="", help="a fold's name or all")
    parser.add_argument("--inference_tag", default="")
    parser.add_argument("--extra_labels", default="", help="CSV id,gender,text,speaker,emotion")
    parser.add_argument("--closed_labels", default="", help="classes of the test corpus, if fewer")
    parser.add_argument("--force", choices=["true", "false"], default="false")
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parser.parse_args(arguments)
    runs = resolve_splits(
        args.datadir, args.fold, train_set=args.train_set, test_sets=args.test_sets
    )
    _score(runs, args, arguments)


def _score(runs: list[Run], args: argparse.Namespace, arguments: list[str]) -> None:
    tag = folder_name(args.inference_tag)
    target = args.expdir
    if args.fold not in ("", "all"):  # one fold's scores aren't the experiment's
        target = target / runs[0].name
    if args.inference_tag:  # nor are those of special inference options
        target = target / tag
    models = {run.name: args.expdir / run.name for run in runs}
    parts = [
        (POOLED if run.name else name, run, models[run.name] / tag / name, args.dumpdir / name)
        for run in runs
        for name in run.test
    ]
    if not parts:
        raise UserError("no test set is named: give --test_sets")
    work = Stage(
        target / "scored.json",
        {"parts": [(name, str(folder)) for name, _, folder, _ in parts]}
        | {"train": [run.train for run in runs], "closed_labels": args.closed_labels},
        _inputs(parts, models, args),
    )
    if not work.is_done() or args.force == "true":
        extra = read_extra_labels(Path(args.extra_labels)) if args.extra_labels else {}
        sets: dict[str, list[Predicted]] = {}
        for name, run, folder, dump in parts:
            texts = read_training_texts(args.dumpdir, run.train) if run.train else None
            predicted = read_predictions(folder, dump, extra, run.name or name, texts)
            sets.setdefault(name, []).append(predicted)
        _check_extra_labels(extra, sets, args.extra_labels)
        results = {name: set_scores(p, args.closed_labels.split()) for name, p in sets.items()}
        pictures = _plot(target, sets, results, models)
        facts = provenance(models, arguments)
        with atomic_write(target / "results.json") as stream:
            json.dump(results, stream, indent=1, ensure_ascii=False)
        with atomic_write(target / "RESULTS.md") as stream:
            stream.write(results_md(args.expdir.name, results, facts, pictures))
        files = [file for named in pictures.values() for _, file in named]
        work.finish([target / file for file in ("results.json", "RESULTS.md", *files)])
    print(summary(json.loads((target / "results.json").read_text(encoding="utf-8"))))
    print(f"written: {target}/RESULTS.md, results.json beside it, and plots")


def _inputs(parts: list[Any], models: dict[str, Path], args: argparse.Namespace) -> list[Path]:
    files = [model / name for model in models.values() for name in MODEL_FILES]
    for _, run, folder, dump in parts:
        files += [folder / TABLE, folder / EMBEDDINGS]
        files += [dump / name for name in (*REFERENCES.values(), CORPUS_TEXT, UNREADABLE)]
        files += [args.dumpdir / name / "text" for name in run.train]
    return [*files, Path(args.extra_labels)] if args.extra_labels else files


def _check_extra_labels(
    extra: dict[str, dict[str, str]], sets: dict[str, list[Predicted]], path: str
) -> None:
    tested = {utt_id for parts in sets.values() for part in parts for utt_id in part.ids}
    for column, values in extra.items():
        if not values.keys() & tested:
            raise UserError(f"{path}: column {column!r} has no label of any tested utterance")


def _plot(
    target: Path,
    sets: dict[str, list[Predicted]],
    results: dict[str, dict[str, Any]],
    models: dict[str, Path],
) -> dict[str, list[tuple[str, str]]]:
    """Draw what there are data for: (title, file name) by set, the model's own under ``""``."""
    pictures: dict[str, list[tuple[str, str]]] = {}

    def add(name: str, title: str, file: str) -> Path:
        pictures.setdefault(name, []).append((title, file))
        return target / file

    for name, parts in sets.items():
        scores = results[name]
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
