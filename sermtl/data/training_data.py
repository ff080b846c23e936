"""What stage 4 left, checked before training reads it: there, what is odd would pass in silence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sermtl.data.datadir import FILES, LENGTHS, read_column, same_ids
from sermtl.data.statistics import inventories
from sermtl.data.tasks import CLASS_FILES, LABEL_FILES
from sermtl.data.utterance import UNKNOWN
from sermtl.documents import read_json
from sermtl.errors import UserError
from sermtl.stage import made_from

LABELS = "labels.json"
SHAPES = "speech_shape"
KEYS = {"emotions": list, "speakers": list, "counts": dict, "tasks": dict}
AGAIN = "run stage 4 again"


def check_training_data(statsdir: Path, dumps: Sequence[Path]) -> None:
    """Refuse what was damaged or edited since.

    Args:
        statsdir: stage 4's folder of a split.
        dumps: the sets that it was made from.

    Raises:
        UserError: naming file and line, if a file is damaged, lacks utterances, or has a label
            that is no class; or if the sets aren't any more what they were.
    """
    classes = inventories(read_label_statistics(statsdir / LABELS))
    for part in ("train", "valid"):
        for file in ("wav.scp", *LABEL_FILES.values(), SHAPES):
            if not (statsdir / part / file).exists():
                raise UserError(f"{statsdir / part / file} is missing: {AGAIN}")
        ids = read_column(statsdir / part / "wav.scp")
        for file in (*LABEL_FILES.values(), SHAPES):
            path = statsdir / part / file
            same_ids(path, read_column(path), statsdir / part / "wav.scp", ids)
        # Validation may have other speakers, and a gender that training lacks.
        for task in CLASS_FILES if part == "train" else ("emotion",):
            _check_classes(statsdir / part / CLASS_FILES[task], classes[task])
    for file in (dump / name for dump in dumps for name in (*FILES, LENGTHS)):
        if not made_from(statsdir / "done.json", [file]):
            raise UserError(f"{statsdir} wasn't made from {file} as it is now: {AGAIN}")


def read_label_statistics(path: Path) -> dict[str, Any]:
    """``labels.json``.

    Raises:
        UserError: if it is missing or damaged.
    """
    labels = read_json(path, AGAIN)
    for key, kind in KEYS.items():
        if not isinstance(labels, dict) or not isinstance(labels.get(key), kind):
            raise UserError(f"{path}: damaged, it has no {key}: {AGAIN}")
    return labels


def _check_classes(path: Path, classes: Sequence[str]) -> None:
    known = {*classes, UNKNOWN}
    for line, (utt_id, label) in enumerate(read_column(path).items(), 1):
        if label not in known:
            raise UserError(
                f"{path}:{line}: {utt_id} is {label!r}, which is none of "
                f"{', '.join(classes)}: {AGAIN}"
            )
