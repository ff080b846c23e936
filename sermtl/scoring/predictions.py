"""A model's predictions for a test set, beside the set's references."""

from __future__ import annotations

import zipfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from sermtl.corpora.manifest import parse_gender, read_records, read_rows
from sermtl.data.audio import UNREADABLE, audio_files
from sermtl.data.datadir import read_column
from sermtl.data.tasks import CLOSED, LABEL_FILES
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError, excerpt
from sermtl.inference import DONE, EMBEDDINGS, TABLE
from sermtl.stage import is_whole, made_from
from sermtl.transcription.dumped_set import CORPUS_TEXT
from sermtl.transcription.normalizers import comparable
from sermtl.zips import check_stored

ROUNDING = 0.01  # of probabilities that sum to 1, more than six decimals can be wrong
ANSWERS = ("emotion", *CLOSED, "transcript")  # columns of the table


@dataclass
class Predicted:
    """Answers of one model (or one fold's) for one set, and what is known of the utterances.

    Columns are lists over the utterances, in the order of ``ids``. Texts are normalised.
    """

    name: str  # of the fold, or ""
    ids: list[str]
    classes: list[str]  # the model's emotions
    probabilities: np.ndarray  # (N, C)
    references: dict[str, list[str]]  # by label; `<unk>` where unknown
    answers: dict[str, list[str]]  # by task, and transcripts; absent tasks left out
    task_weights: dict[str, np.ndarray]  # auxiliary task -> (N,)
    embeddings: np.ndarray | None  # (N, H) of the speaker branch
    text_sources: list[str]  # "whisper", "corpus" or "extra"
    text_form: str  # of reference texts and transcripts: a normaliser's name
    training_texts: set[str] | None  # normalised, of the sets this model learned from, if told
    unreadable: int = 0  # clips of the set that stage 1 couldn't read
    against_training: dict[str, Any] = field(default_factory=dict)  # by `compare_with_training`

    def emotions(self, allowed: Sequence[str]) -> np.ndarray:
        """Index within ``allowed`` of the likeliest of these classes: (N,)."""
        columns = [self.classes.index(label) for label in allowed]
        likeliest = self.probabilities[:, columns].argmax(axis=1)
        # The table rounds probabilities; where the model's answer is allowed, it needs no arg-max.
        place = {label: i for i, label in enumerate(allowed)}
        answers = self.answers["emotion"]
        return np.array([place.get(a, i) for a, i in zip(answers, likeliest, strict=True)])


def read_predictions(
    folder: Path,
    dump: Path,
    extra: Mapping[str, Mapping[str, str]],
    name: str = "",
    training_texts: set[str] | None = None,
    text_form: str = "plain",
) -> Predicted:
    """Read what stage 6 left for a set, and the set's references.

    Args:
        folder: ``exp/<tag>/[fold<K>/]inference[_tag]/<set>``.
        dump: ``dump/<set>``.
        extra: further labels, ``extra[column][utterance]``; they take the place of the set's.
        name: of the fold.
        training_texts: transcripts of the training sets, in that form.
        text_form: of the texts that the model learnt, and in which transcripts are compared.

    Raises:
        UserError: when a file is missing or malformed, or the utterances are not the set's.
    """
    references = _read_references(dump)
    ids = list(references["emotion"])
    table = _read_table(folder / TABLE)
    place = {utt_id: row for row, utt_id in enumerate(table.texts["id"])}
    _same_utterances(folder / TABLE, place, ids, dump)
    order = [place[i] for i in ids]
    if not is_whole(folder / DONE):  # the table may be whole, and the embeddings have gone
        raise UserError(f"{folder} isn't as stage 6 leaves it: run stage 6 again")
    if not made_from(folder / DONE, audio_files(dump)):
        raise UserError(f"{folder / TABLE}: not made from the audio of {dump}: run stage 6 again")
    numbers = {column: values[order] for column, values in table.numbers.items()}
    classes = [c.removeprefix("prob_") for c in numbers if c.startswith("prob_")]
    tasks = [c.removeprefix("weight_") for c in numbers if c.startswith("weight_")]
    if not classes or "emotion" not in table.texts:
        raise UserError(
            f"{folder / TABLE} has no columns emotion and prob_<class>: run stage 6 again"
        )
    source = "whisper" if (dump / CORPUS_TEXT).exists() else "corpus"
    extra_texts = extra.get("text", {})
    normalize = comparable(text_form)
    labels = {
        label: [extra.get(label, {}).get(i, column[i]) for i in ids]
        for label, column in references.items()
    }
    labels["text"] = [t if t == UNKNOWN else normalize(t) or UNKNOWN for t in labels["text"]]
    answers = {
        column: [values[row] for row in order]
        for column, values in table.texts.items()
        if column in ANSWERS
    }
    for utt_id, emotion in zip(ids, answers["emotion"], strict=True):
        if emotion not in classes:
            raise UserError(f"{folder / TABLE}: emotion of {utt_id} is {emotion!r}")
    if "transcript" in answers:
        answers["transcript"] = [normalize(text) for text in answers["transcript"]]
    return Predicted(
        name=name,
        ids=ids,
        classes=classes,
        probabilities=np.column_stack([numbers[f"prob_{label}"] for label in classes]),
        references=labels,
        answers=answers,
        task_weights={task: numbers[f"weight_{task}"] for task in tasks},
        embeddings=_read_embeddings(folder / EMBEDDINGS, ids, dump),
        text_sources=["extra" if i in extra_texts else source for i in ids],
        text_form=text_form,
        training_texts=training_texts,
        unreadable=_count_unreadable(dump),
    )


def _count_unreadable(dump: Path) -> int:
    path = dump / UNREADABLE
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


def _read_references(dump: Path) -> dict[str, dict[str, str]]:
    """The set's label files, which must hold the same utterances: a lost line isn't `<unk>`."""
    references = {label: read_column(dump / file) for label, file in LABEL_FILES.items()}
    for label, file in LABEL_FILES.items():
        if odd := references["emotion"].keys() ^ references[label].keys():
            raise UserError(
                f"{dump / file} and {LABEL_FILES['emotion']} differ in {len(odd)} utterances, "
                f"e.g. {min(odd)}: run stage 1 again"
            )
    return references


def read_training_texts(dumpdir: Path, sets: Sequence[str], text_form: str = "plain") -> set[str]:
    """The normalised transcripts of training sets."""
    texts = (text for name in sets for text in read_column(dumpdir / name / "text").values())
    return {comparable(text_form)(text) for text in texts if text != UNKNOWN}


def read_extra_labels(path: Path) -> dict[str, dict[str, str]]:
    """Columns of a CSV ``id,gender,text,speaker,emotion`` (any of the latter) by utterance.

    Raises:
        UserError: when columns are missing or unknown, an utterance appears twice, or a gender is
            none.
    """
    labels: dict[str, dict[str, str]] = {}
    seen = set()
    for line, fields in read_rows(path, ["id"]):
        utt_id = fields.pop("id").strip()
        if utt_id in seen:
            raise UserError(f"{path}:{line}: {utt_id} appears twice")
        seen.add(utt_id)
        for column, value in fields.items():
            if column not in LABEL_FILES:
                names = f"id, {', '.join(LABEL_FILES)}"
                raise UserError(f"{path}: column {excerpt(column)!r} is none of {names}")
            label: str | None = value.strip()
            if column == "gender":
                label = parse_gender(f"{path}:{line}", label or None)
            known = labels.setdefault(column, {})
            if label:
                known[utt_id] = label
    return labels


@dataclass
class _Table:
    """What is needed of the table of predictions: columns in the order of its rows."""

    texts: dict[str, list[str]]  # id and answers
    numbers: dict[str, np.ndarray]  # probabilities and task weights (N,)


def _read_table(path: Path) -> _Table:
    records = _records(path)
    _, columns = next(records)
    texts: dict[str, list[str]] = {c: [] for c in columns if c in ("id", *ANSWERS)}
    numbers = {c: array("d") for c in columns if c.startswith(("prob_", "weight_"))}
    probabilities = [column for column in numbers if column.startswith("prob_")]
    for line, fields in records:
        row = dict(zip(columns, fields, strict=True))
        for column, values in texts.items():
            values.append(row[column])
        for column, values in numbers.items():
            values.append(_share(f"{path}:{line}: {column} of {row['id']}", row[column]))
        total = sum(numbers[column][-1] for column in probabilities)
        if probabilities and abs(total - 1) > ROUNDING:
            raise UserError(f"{path}:{line}: the probabilities of {row['id']} sum to {total:g}")
    return _Table(texts, {column: np.array(values) for column, values in numbers.items()})


def _share(what: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not 0 <= value <= 1 + ROUNDING:
        raise UserError(f"{what} is {excerpt(text)!r}, not a number from 0 to 1")
    return value


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines, and on them the names of the columns and the records.

    The names are distinct, and so are the values of the column ``id``.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            records = read_records(path, stream)
            _, columns = next(records, (1, []))
            if "id" not in columns:
                raise UserError(f"{path} has no column 'id' in its first line")
            if len(set(columns)) < len(columns):
                raise UserError(f"{path}:1: a column is there twice: {excerpt(', '.join(columns))}")
            yield 1, columns
            at, seen = columns.index("id"), set()
            for line, fields in records:
                where = f"{path}:{line}"
                if len(fields) != len(columns):
                    raise UserError(f"{where}: not as many values as the first line has columns")
                if fields[at] in seen:
                    raise UserError(f"{where}: {fields[at]} appears twice")
                seen.add(fields[at])
                yield line, fields
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: run stage 6 (inference) first") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from error


def _same_utterances(
    path: Path, present: Mapping[str, object], ids: Sequence[str], dump: Path
) -> None:
    wanted = set(ids)
    for what, names in (
        (f"lacks utterances of {dump}", [i for i in ids if i not in present]),
        (f"has utterances that {dump} lacks", [i for i in present if i not in wanted]),
    ):
        if names:
            some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            raise UserError(f"{path} {what} ({len(names)}): {some}; run stage 6 again")


def _read_embeddings(path: Path, ids: Sequence[str], dump: Path) -> np.ndarray | None:
    """Embeddings in the order of ``ids``; ``None`` without the file (no speaker task)."""
    if not path.exists():
        return None
    check_stored(path)
    try:
        with np.load(path) as content:
            place = {str(utt_id): row for row, utt_id in enumerate(content["ids"])}
            embeddings = content["embeddings"]
        if len(place) != len(embeddings):
            raise ValueError(f"{len(place)} ids, {len(embeddings)} embeddings")
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as error:
        raise UserError(f"{path}: damaged ({error}): run stage 6 again") from error
    _same_utterances(path, place, ids, dump)
    order = [place[i] for i in ids]
    return embeddings if order == sorted(order) else embeddings[order]
