"""The floor that a fine-tuned model must beat: frozen encoder, pooled states, logistic regression.

Mean and standard deviation over time of all hidden states, standardised, into multinomial logistic
regression, trained on each fold's training sets. Scores are pooled out-of-fold; with a scored
experiment on the same folds, the two are compared by a paired bootstrap.

    . tools/path.sh
    python tools/benchmark/frozen_floor.py --recipe_dir egs/ravdess --ssl_model ENCODER \
        [--trim_db 35] [--experiment egs/ravdess/exp/TAG]
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from sermtl.data.audio import padded, read_dump
from sermtl.data.datadir import read_column
from sermtl.data.splits import resolve_splits
from sermtl.errors import run_main
from sermtl.inference import batches
from sermtl.scoring.intervals import interval, one_hot_cells, paired_test, resampling_units
from sermtl.scoring.metrics import macro_f1, uar
from sermtl.scoring.scores import on_cells


def pooled_states(dump_folder: Path, frontend: object) -> dict[str, np.ndarray]:
    """Mean and deviation of each state over an utterance's true frames, ``(2 (L+1) D,)``."""
    import torch

    dump = read_dump(dump_folder)
    pooled: dict[str, np.ndarray] = {}
    for batch in tqdm(batches(dump.lengths, 120.0), desc=dump_folder.name, disable=None):
        speech, lengths = padded([dump.samples(dump.ids[i]) for i in batch])
        with torch.inference_mode():
            states, frames = frontend.encode(speech, lengths)
        for row, i in enumerate(batch):
            true = states[:, row, : frames[row]]  # (L+1, T, D)
            parts = [true.mean(1), true.std(1, correction=0)]
            pooled[dump.ids[i]] = torch.cat(parts).flatten().numpy()
    return pooled


def main() -> None:
    """Train and score the floor on every fold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe_dir", type=Path, required=True)
    parser.add_argument("--ssl_model", required=True)
    parser.add_argument("--trim_db", type=float, help="trim silence, as the experiment may do")
    parser.add_argument("--experiment", type=Path, help="scored experiment to compare with")
    parser.add_argument("--C", type=float, default=0.003, help="inverse regularisation")
    args = parser.parse_args()

    from sermtl.model.ssl_frontend import SSLFrontend

    frontend = SSLFrontend(args.ssl_model, freeze="all", trim_db=args.trim_db).eval()
    dumpdir, datadir = args.recipe_dir / "dump", args.recipe_dir / "data"
    runs = resolve_splits(datadir, "all")
    sets = sorted({name for run in runs for name in (*run.train, *run.test)})
    states: dict[str, np.ndarray] = {}
    emotion: dict[str, str] = {}
    speaker: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for name in sets:
        states |= pooled_states(dumpdir / name, frontend)
        emotion |= read_column(dumpdir / name / "utt2emo")
        speaker |= read_column(dumpdir / name / "utt2spk")
        members[name] = read_dump(dumpdir / name).ids
    answers: dict[str, str] = {}
    for run in runs:
        train = [u for name in run.train for u in members[name]]
        test = [u for name in run.test for u in members[name]]
        classifier = make_pipeline(
            StandardScaler(), LogisticRegression(C=args.C, max_iter=2000)
        ).fit(np.stack([states[u] for u in train]), [emotion[u] for u in train])
        found = classifier.predict(np.stack([states[u] for u in test]))
        answers |= dict(zip(test, found, strict=True))

    ids = sorted(answers)
    classes = sorted(set(emotion.values()))
    units = resampling_units([speaker[u] for u in ids])

    def cells(hypothesis: dict[str, str]) -> np.ndarray:
        index = {label: i for i, label in enumerate(classes)}
        reference = np.array([index[emotion[u]] for u in ids])
        return one_hot_cells(reference, np.array([index[hypothesis[u]] for u in ids]), len(classes))

    statistics = {"UAR": on_cells(uar, len(classes)), "macro-F1": on_cells(macro_f1, len(classes))}
    floor = cells(answers)
    _show("floor", interval(floor, units, statistics))
    if args.experiment:
        predicted: dict[str, str] = {}
        for run in runs:
            for name in run.test:
                table = args.experiment / run.name / "inference" / name / "predictions.csv"
                with open(table, encoding="utf-8", newline="") as stream:
                    predicted |= {row["id"]: row["emotion"] for row in csv.DictReader(stream)}
        ours = cells(predicted)
        _show(str(args.experiment), interval(ours, units, statistics))
        for name, test in paired_test(floor, ours, units, statistics).items():
            gain = test["difference"]
            print(
                f"{name} gain {gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}], "
                f"p {test['p']:.4f}, paired bootstrap over {units.name}"
            )


def _show(title: str, scores: dict) -> None:
    figures = [f"{n} {s['value']:.3f} [{s['low']:.3f}, {s['high']:.3f}]" for n, s in scores.items()]
    print(f"{title}: {', '.join(figures)}")


if __name__ == "__main__":
    run_main(main)
