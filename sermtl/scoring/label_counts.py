"""How many utterances of each emotion an experiment's own sets have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sermtl.data.datadir import read_column
from sermtl.data.splits import Run
from sermtl.data.tasks import LABEL_FILES
from sermtl.data.utterance import UNKNOWN


def titled_sets(run: Run) -> dict[str, list[str]]:
    """What a run uses: title -> sets. Of a fold all test sets are one; others have their names."""
    tests = {"test": run.test} if run.name else {name: [name] for name in run.test}
    return {"training": run.train, "validation": run.valid, **tests}


def label_files(dumpdir: Path, runs: Sequence[Run]) -> list[Path]:
    """What `label_counts` reads."""
    sets = [name for run in runs for of in titled_sets(run).values() for name in of]
    return [dumpdir / name / LABEL_FILES["emotion"] for name in dict.fromkeys(sets)]


def label_counts(dumpdir: Path, runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Title -> emotion -> utterances, means over the runs; sets without any label are left out."""
    found = {path: Counter(read_column(path).values()) for path in label_files(dumpdir, runs)}
    totals: dict[str, Counter[str]] = {}
    for run in runs:
        for title, sets in titled_sets(run).items():
            total = totals.setdefault(title, Counter())
            for path in label_files(dumpdir, [Run([], [], sets)]):
                total.update(found[path])
    for total in totals.values():
        total.pop(UNKNOWN, None)
    return {
        title: {label: n / len(runs) for label, n in total.items()}
        for title, total in totals.items()
        if total
    }
