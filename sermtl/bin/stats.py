"""Stage 4: merge each run's sets and count labels, lengths and speakers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from sermtl.data.datadir import FILES, write_column
from sermtl.data.labels import load_labels
from sermtl.data.set_checks import compare_with_training, edited_apart, read_labels, remarks
from sermtl.data.splits import Run, resolve_splits
from sermtl.data.statistics import label_statistics, merged, notes_on_tasks, table
from sermtl.errors import UserError, run_main
from sermtl.files import atomic_write, exclusive
from sermtl.stage import Stage


def main(argv: Sequence[str] | None = None) -> None:
    """Write ``<statsdir>[/fold<K>]/{train,valid}/`` and ``labels.json`` where inputs changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dumpdir", type=Path, required=True)
    parser.add_argument("--datadir", type=Path, required=True)
    parser.add_argument("--statsdir", type=Path, required=True)
    parser.add_argument("--labels", type=Path, help="labels.yaml (default: the labels that occur)")
    parser.add_argument("--train_set", default="")
    parser.add_argument("--valid_set", default="")
    parser.add_argument("--test_sets", default="", help="to compare with training, where there")
    parser.add_argument("--fold", default="")
    parser.add_argument("--speed_perturb_factors", default="")
    parser.add_argument("--force", choices=["true", "false"], default="false")
    args = parser.parse_args(argv)
    classes = load_labels(args.labels).classes if args.labels else None
    runs = resolve_splits(
        args.datadir,
        args.fold,
        args.train_set,
        args.valid_set,
        speed_perturb_factors=args.speed_perturb_factors,
    )
    if not all(run.train and run.valid for run in runs):
        raise UserError("--train_set and --valid_set must each name a set")
    with exclusive(args.statsdir):
        for run in runs:
            _count(run, classes, args)
            for remark in _remarks(run, args):
                print(f"  {remark}")


def _count(run: Run, classes: dict[str, str] | None, args: argparse.Namespace) -> None:
    target = args.statsdir / run.name
    inputs = [
        args.dumpdir / name / file
        for name in (*run.train, *run.valid)
        for file in (*FILES, "utt2num_samples")
    ]
    stage = Stage(
        target / "done.json",
        {"classes": classes, "train": run.train, "valid": run.valid},
        inputs,
    )
    title = run.name or " ".join(run.train)
    if stage.is_done() and args.force != "true":
        print(f"{title}: done")
        return
    parts = {"train": merged(args.dumpdir, run.train), "valid": merged(args.dumpdir, run.valid)}
    labels = label_statistics(run, parts["train"], parts["valid"], classes)
    notes = notes_on_tasks(labels)
    stage.begin()
    written = [target / "labels.json"]
    for part, columns in parts.items():
        for file, values in columns.items():
            write_column(target / part / file, values)
            written.append(target / part / file)
    with atomic_write(target / "labels.json") as stream:
        json.dump(labels, stream, indent=1, ensure_ascii=False)
    stage.finish(written)
    print(f"{title}: {len(labels['speakers'])} speakers to train on")
    print(table(parts["train"], parts["valid"], emotions=labels["emotions"]))
    for note in notes:
        print(f"  {note}")


def _remarks(run: Run, args: argparse.Namespace) -> Iterator[str]:
    """What is odd about the run's sets; told every time, also where nothing is left to do."""
    training = read_labels(args.dumpdir, run.train)
    tests = run.test or args.test_sets.split()
    tests = [name for name in tests if (args.dumpdir / name / FILES[0]).exists()]
    for name in (*run.valid, *tests):
        found = compare_with_training(read_labels(args.dumpdir, [name]), training)
        yield from (f"{name}: {remark}" for remark in remarks(found))
    for name in (*run.train, *run.valid, *tests):
        yield from edited_apart(args.datadir / name, args.dumpdir / name)


if __name__ == "__main__":
    run_main(main)
