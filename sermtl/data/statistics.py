"""Stage 4's work: what training reads, in one place, and what it has to know of the labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sermtl.data.datadir import as_numbers, merge, read_column, read_lengths
from sermtl.data.splits import Run
from sermtl.data.tasks import AUXILIARY, CLASS_FILES, CLOSED
from sermtl.data.text import normalize_text
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError

TASK_FILES = {**CLASS_FILES, "asr": "text"}


def merged(dumpdir: Path, sets: list[str]) -> dict[str, dict[str, str]]:
    """The columns of several dumped sets as one, text normalised, with ``speech_shape``."""
    columns = dict(merge([dumpdir / name for name in sets]).columns)
    columns["text"] = {u: normalize_text(v) or UNKNOWN for u, v in _known(columns["text"]).items()}
    samples: dict[str, int] = {}
    for name in sets:
        seconds = dumpdir / name / "utt2dur"
        ids = as_numbers(seconds, read_column(seconds))
        samples |= read_lengths(dumpdir / name, ids)
    columns["speech_shape"] = {u: str(n) for u, n in samples.items()}
    return columns


def label_statistics(
    run: Run,
    train: Mapping[str, Mapping[str, str]],
    valid: Mapping[str, Mapping[str, str]],
    classes: Mapping[str, str] | None,
) -> dict[str, Any]:
    """``labels.json``: inventories, counts, and how many utterances each task can learn from.

    Args:
        run: for messages.
        train, valid: columns of the data.
        classes: of the recipe, with their names for people; ``None`` for those that occur in
            training.

    Raises:
        UserError: if training has fewer than two emotions, validation has none, or either has an
            emotion that is no class.
    """
    counts = {
        task: Counter(v for v in train[file].values() if v != UNKNOWN)
        for task, file in TASK_FILES.items()
    }
    sets = " ".join(run.train)
    if not counts["emotion"]:
        raise UserError(f"no utterance of {sets} has an emotion label: nothing to train on")
    if len(counts["emotion"]) < 2:
        raise UserError(f"all of {sets} is {min(counts['emotion'])!r}: nothing to tell apart")
    if set(valid["utt2emo"].values()) <= {UNKNOWN}:
        raise UserError(f"no utterance of {' '.join(run.valid)} has an emotion label to select by")
    names_of = dict(classes or {label: label for label in sorted(counts["emotion"])})
    emotions = list(names_of)
    for names, columns in ((run.train, train), (run.valid, valid)):
        for utt_id, label in columns["utt2emo"].items():
            if label != UNKNOWN and label not in emotions:
                of = "labels.yaml" if classes else f"the training set ({sets})"
                raise UserError(
                    f"{utt_id} of {' '.join(names)}: emotion {label!r} is no class of {of}, "
                    f"which has {', '.join(emotions)}"
                )
    return {
        "emotions": emotions,
        "names": names_of,
        **{f"{task}s": sorted(counts[task]) for task in AUXILIARY},
        "counts": {
            "emotion": {label: counts["emotion"][label] for label in emotions},
            **{task: dict(sorted(counts[task].items())) for task in CLOSED},
        },
        "tasks": {task: sum(counter.values()) for task, counter in counts.items()},
        "seconds": round(sum(map(float, train["utt2dur"].values())), 3),
    }


def notes_on_tasks(labels: dict[str, Any]) -> list[str]:
    """Set the count of tasks with a single class to zero: nothing can be learnt there.

    Returns:
        Notes for the user about classes without utterances, the closed tasks' counts, and every
        auxiliary task that is off.
    """
    classes, counts = inventories(labels), labels["counts"]
    notes = [
        f"emotion: no utterance of {c!r} to learn from"
        for c, n in counts["emotion"].items()
        if not n
    ]
    for task in CLOSED:
        if len(counts[task]) > 1:
            numbers = ", ".join(f"{label} {n}" for label, n in counts[task].items())
            notes.append(f"{task}: {numbers}")
    for task in (*AUXILIARY, "asr"):
        if not labels["tasks"][task]:
            notes.append(f"{task}: no labels, the task is off")
        elif task in classes and len(classes[task]) < 2:
            notes.append(f"{task}: only {classes[task][0]!r}, the task is off")
            labels["tasks"][task] = 0
    return notes


def inventories(labels: Mapping[str, Any]) -> dict[str, list[str]]:
    """The classes of each task, from ``labels.json``; none of a task that is younger than it."""
    return {task: labels.get(f"{task}s", []) for task in CLASS_FILES}


def table(*parts: Mapping[str, Mapping[str, str]], emotions: list[str]) -> str:
    """Counts of classes, utterances and hours in ``train`` and ``valid``."""
    counts = [Counter(columns["utt2emo"].values()) for columns in parts]
    rows = [("emotion", "train", "valid")]
    rows += [(label, *(str(c[label]) for c in counts)) for label in emotions]
    if any(c[UNKNOWN] for c in counts):
        rows.append((UNKNOWN, *(str(c[UNKNOWN]) for c in counts)))
    rows.append(("utterances", *(str(c.total()) for c in counts)))
    seconds = [sum(map(float, columns["utt2dur"].values())) for columns in parts]
    rows.append(("hours", *(f"{s / 3600:.2f}" for s in seconds)))
    width = max(len(name) for name, *_ in rows)
    return "\n".join(f"  {name:<{width}} {a:>7} {b:>7}" for name, a, b in rows)


def _known(column: Mapping[str, str]) -> dict[str, str]:
    """Unknown transcripts as empty text, which normalising leaves empty."""
    return {u: "" if v == UNKNOWN else v for u, v in column.items()}
