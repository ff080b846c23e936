"""Answers and references from two tables that anyone may have made."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path, PurePath

import numpy as np

from sermtl.corpora.manifest import parse_gender
from sermtl.data.datadir import read_column
from sermtl.data.tasks import LABEL_FILES
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError
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


def read_pair(reference: Path, hypothesis: Path) -> Predicted:
    """Answers beside their references.

    Args:
        reference: a CSV or TSV, or a data folder.
        hypothesis: a CSV or TSV.

    Raises:
        UserError: if a table is damaged or has no emotions, an utterance of the references has no
            answer, or one of the answers is an emotion that no reference is.
    """
    told = _read_folder(reference) if reference.is_dir() else _read_table(reference)
    said = _read_table(hypothesis)
    if not told["emotion"].keys() & said["emotion"].keys():
        told, said = _by_stem(reference, told), _by_stem(hypothesis, said)
    ids = list(told["emotion"])
    if missing := [utt_id for utt_id in ids if utt_id not in said["emotion"]]:
        raise UserError(
            f"{hypothesis} has no answer for {len(missing)} of {len(ids)} utterances of "
            f"{reference}, e.g. {missing[0]}"
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
        kind: [told.get(kind, {}).get(utt_id, "") or UNKNOWN for utt_id in ids] for kind in COLUMNS
    }
    texts = references["text"]
    references["text"] = [t if t == UNKNOWN else normalize(t) or UNKNOWN for t in texts]
    classes = sorted({*references["emotion"], *answers["emotion"]} - {UNKNOWN})
    if any(not emotion for emotion in answers["emotion"]):
        raise UserError(f"{hypothesis}: the answer for {_first_empty(ids, answers)} is empty")
    return Predicted(
        name="",
        ids=ids,
        classes=classes,
        # What was answered is all that is known.
        probabilities=np.array([[c == answer for c in classes] for answer in answers["emotion"]])
        * 1.0,
        references=references,
        answers=answers,
        task_weights={},
        embeddings=None,
        text_sources=["corpus"] * len(ids),
        text_form="plain",
        training_texts=None,
    )


def _first_empty(ids: list[str], answers: Mapping[str, list[str]]) -> str:
    return next(i for i, emotion in zip(ids, answers["emotion"], strict=True) if not emotion)


def _read_folder(folder: Path) -> Table:
    files = {kind: folder / file for kind, file in LABEL_FILES.items()}
    return {
        kind: {u: "" if v == UNKNOWN else v for u, v in read_column(file).items()}
        for kind, file in files.items()
        if file.exists() or kind == "emotion"
    }


def _read_table(path: Path) -> Table:
    """Columns of a CSV or TSV."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from error
    first = text.partition("\n")[0]
    reader = csv.reader(text.splitlines(), delimiter="\t" if "\t" in first else ",")
    header = [name.strip() for name in next(reader, [])]
    key = next((name for name in KEYS if name in header), None)
    named = {
        kind: next(name for name in names if name in header)
        for kind, names in COLUMNS.items()
        if set(names) & set(header)
    }
    if key is None or "emotion" not in named:
        raise UserError(
            f"{path}: its first line must name a column {' or '.join(KEYS)} and a column "
            f"{' or '.join(COLUMNS['emotion'])}; it names {', '.join(header) or 'none'}"
        )
    table: Table = {kind: {} for kind in named}
    for values in filter(None, reader):
        where = f"{path}:{reader.line_num}"
        if len(values) != len(header):
            raise UserError(f"{where}: {len(values)} values, but the first line has {len(header)}")
        row = {name: value.strip() for name, value in zip(header, values, strict=True)}
        if row[key] in table["emotion"]:
            raise UserError(f"{where}: {row[key]} appears twice")
        for kind, name in named.items():
            table[kind][row[key]] = row[name]
        if "gender" in named:
            gender = parse_gender(where, row[named["gender"]] or None)
            table["gender"][row[key]] = gender or ""
    return table


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
