"""Answers and references from two tables that anyone may have made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path, PurePath

import numpy as np

from sermtl.corpora.manifest import parse_gender, read_rows
from sermtl.data.datadir import read_column
from sermtl.data.tasks import LABEL_FILES
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError, excerpt
from sermtl.scoring.predictions import Predicted
from sermtl.transcription.normalizers import comparable

KEYS = ("id", "path", "FileName")
COLUMNS = {  # names that a column goes by
    "emotion": ("emotion", "EmoClass"),
    "gender": ("gender", "Gender"),
    "speaker": ("speaker", "SpkrID"),
    "text": ("text", "transcript"),
}
Table = dict[str, dict[str, str]]
"""Labels of each kind in `COLUMNS` that a table has, by utterance."""


def read_pair(reference: Path, hypothesis: Path) -> tuple[Predicted, list[str]]:
    """Answers beside their references, and what is odd about them.

    Args:
        reference: a CSV or TSV, or a data folder.
        hypothesis: a CSV or TSV.

    Raises:
        UserError: if a table is damaged or has no emotions, or an utterance of the references has
            no answer.
    """
    told = _read_folder(reference) if reference.is_dir() else _read_table(reference)
    said = _read_table(hypothesis, answers=True)
    if not told["emotion"].keys() & said["emotion"].keys():
        told, said = _by_stem(reference, told), _by_stem(hypothesis, said)
    ids = list(told["emotion"])
    if missing := [utt_id for utt_id in ids if utt_id not in said["emotion"]]:
        raise UserError(
            f"{hypothesis} has no answer for {len(missing)} of {len(ids)} utterances of "
            f"{reference}, e.g. {excerpt(missing[0])}"
        )
    normalize = comparable("plain")
    answers = {
        "transcript" if kind == "text" else kind: [column[utt_id] for utt_id in ids]
        for kind, column in said.items()
        if kind != "speaker"
    }
    if "transcript" in answers:
        answers["transcript"] = [normalize(text) for text in answers["transcript"]]
    references = {
        kind: [told.get(kind, {}).get(utt_id) or UNKNOWN for utt_id in ids] for kind in COLUMNS
    }
    texts = references["text"]
    references["text"] = [t if t == UNKNOWN else normalize(t) or UNKNOWN for t in texts]
    classes = sorted({*references["emotion"], *answers["emotion"]} - {UNKNOWN})
    notes = []
    if more := [utt_id for utt_id in said["emotion"] if utt_id not in told["emotion"]]:
        notes.append(
            f"{len(more)} answers of {hypothesis} are left out, since {reference} hasn't their "
            f"utterances, e.g. {excerpt(more[0])}"
        )
    strange = Counter(answers["emotion"])
    for label in references["emotion"]:
        strange.pop(label, None)
    notes += [f"{n} answers are {label!r}, which no reference is" for label, n in strange.items()]
    predicted = Predicted(
        name="",
        ids=ids,
        classes=classes,
        # What was answered is all that is known.
        probabilities=np.array(
            [[c == a for c in classes] for a in answers["emotion"]], dtype=float
        ),
        references=references,
        answers=answers,
        task_weights={},
        embeddings=None,
        text_sources=["corpus"] * len(ids),
        text_form="plain",
        training_texts=None,
    )
    return predicted, notes


def _read_folder(folder: Path) -> Table:
    files = {kind: folder / file for kind, file in LABEL_FILES.items()}
    return {
        kind: read_column(file)
        for kind, file in files.items()
        if file.exists() or kind == "emotion"
    }


def _read_table(path: Path, answers: bool = False) -> Table:
    """Columns of a CSV or TSV; an answer must be an emotion."""
    table: Table = {}
    for line, fields in read_rows(path):
        where = f"{path}:{line}"
        row = {name: value.strip() for name, value in fields.items()}
        key, named = _columns(path, row)
        table = table or {kind: {} for kind in named}
        utt_id = row[key]
        if not utt_id:
            raise UserError(f"{where}: the {key} is empty")
        if utt_id in table["emotion"]:
            raise UserError(f"{where}: {utt_id} appears twice")
        if answers and row[named["emotion"]] in ("", UNKNOWN):
            raise UserError(f"{where}: the answer for {utt_id} is empty")
        if "gender" in named:
            row[named["gender"]] = parse_gender(where, row[named["gender"]] or None) or ""
        for kind, name in named.items():
            table[kind][utt_id] = row[name]
    return table


def _columns(path: Path, header: Collection[str]) -> tuple[str, dict[str, str]]:
    """The column of ids, and that of each kind of label that is there."""
    key = next((name for name in KEYS if name in header), None)
    named = {
        kind: next(name for name in names if name in header)
        for kind, names in COLUMNS.items()
        if any(name in header for name in names)
    }
    if key is None or "emotion" not in named:
        raise UserError(
            f"{path}: its first line must name a column {' or '.join(KEYS)} and a column "
            f"{' or '.join(COLUMNS['emotion'])}; it names {excerpt(', '.join(header))}"
        )
    return key, named


def _by_stem(path: Path, table: Table) -> Table:
    """Utterances by the names of their files."""
    stems: dict[str, str] = {}
    for utt_id in table["emotion"]:
        stem = PurePath(utt_id).stem
        if stem in stems:
            raise UserError(f"{path}: {utt_id} and {stems[stem]} have the same name")
        stems[stem] = utt_id
    return {
        kind: {stem: column[utt_id] for stem, utt_id in stems.items()}
        for kind, column in table.items()
    }
