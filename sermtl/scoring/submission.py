"""The challenge's file of answers for a test set without public labels: ``FileName,EmoClass``."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from sermtl.data.audio import UNREADABLE
from sermtl.data.datadir import read_column
from sermtl.errors import UserError
from sermtl.files import atomic_write

HEADER = ["FileName", "EmoClass"]


def write_submission(
    path: Path, answers: Mapping[str, str], classes: Collection[str], data: Path, dump: Path
) -> None:
    """Write a set's answers, one row for each file, sorted by name, after checking them.

    Args:
        path: of the CSV; an earlier one is gone if this one can't be written.
        answers: utterance -> class.
        classes: that an answer may be.
        data, dump: ``data/<set>`` and ``dump/<set>``.

    Raises:
        UserError: if clips are missing, since the challenge wants every file, or share a name.
    """
    path.unlink(missing_ok=True)
    unreadable = (dump / UNREADABLE).read_text(encoding="utf-8").splitlines()
    if unreadable:
        raise UserError(
            f"{len(unreadable)} clips of {dump.name} can't be read, so that their answers are "
            f"missing: {unreadable[0]}"
        )
    names = {utt_id: Path(file).name for utt_id, file in read_column(data / "wav.scp").items()}
    rows = sorted([names[utt_id], answer] for utt_id, answer in answers.items())
    check_submission(path, [HEADER, *rows], names.values(), classes)
    with atomic_write(path) as stream:
        csv.writer(stream, lineterminator="\n").writerows([HEADER, *rows])


def check_submission(
    path: Path, lines: Sequence[Sequence[str]], files: Collection[str], classes: Collection[str]
) -> None:
    """Check a submission: every file of the partition exactly once, sorted, with a class.

    Args:
        path: for messages.
        lines: of the CSV, its header first.
        files: of the partition.
        classes: that an answer may be.

    Raises:
        UserError: naming the line, or the files that are missing.
    """
    if not lines or lines[0] != HEADER:
        raise UserError(f"{path}:1: the first line must be {','.join(HEADER)}")
    expected = set(files)
    previous = ""
    for number, row in enumerate(lines[1:], 2):
        if len(row) != 2 or row[0] not in expected:
            raise UserError(f"{path}:{number}: {','.join(row)!r} isn't a file of the partition")
        if row[0] <= previous:
            raise UserError(f"{path}:{number}: {row[0]} after {previous}: twice, or not sorted")
        if row[1] not in classes:
            raise UserError(f"{path}:{number}: {row[1]!r} is none of the classes")
        previous = row[0]
    if missing := expected - {row[0] for row in lines[1:]}:
        raise UserError(f"{path}: {len(missing)} files are missing, e.g. {min(missing)}")
