"""MEIJU 2025, track 1, English: clips of conversations, each with an emotion and an intent.

Challenge at ICASSP 2025 on data of MC-EIU (Liu et al. 2024, arXiv:2407.02751); from the organisers,
under their terms; https://ai-s2-lab.github.io/MEIJU2025-website. The Mandarin part and the clips
without labels aren't read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.files import VIDEO, files_below
from sermtl.corpora.manifest import read_rows, read_table
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import UNKNOWN, Corpus, Utterance
from sermtl.errors import UserError

SETS = {"train": "Training", "valid": "Validation"}
PUBLISHED = {"train": 3161, "valid": 449}  # labels in https://github.com/KTTRCDL/MEIJU2025
# The organisers' code has both spellings; the last one is for a root that is the folder itself.
PLACES = ("Track1/English/Annotation", "Track 1/English/Annotation", ".")
# What columns of the transcripts are called, in small letters: as released, or in the baseline.
FILE, TEXT, EMOTION = ("filename", "name"), ("subtitle", "sentence"), "emotion"


def load(labels: LabelInventory, datadir: Path, meiju2025_root: str) -> Corpus:
    """Read ``Track1/English/Annotation/{Training,Validation}``.

    A split's words are in ``<split>_transcription.csv``, its labels in a list whose lines are
    ``<name.ext> <emotion> <intent>``, or else in a column of the words' table. Both are in the
    split's folder, or beside it with the folder's name in front. Clips without a class are in
    ``<set>_other``; speakers and genders are unknown.

    Raises:
        UserError: if a split, its videos or its labels aren't there or are there twice, or a file
            isn't of the form that it should have.
    """
    root = Path(meiju2025_root).resolve()  # so that a run from another folder finds its work done
    places = [root / place for place in PLACES]
    place = next((p for p in places if all((p / name).is_dir() for name in SETS.values())), None)
    if not place:
        raise UserError(
            f"{places[0]} has no {' and '.join(SETS.values())}: is --meiju2025_root right?"
        )
    utterances = []
    notes: list[str] = []
    counts: Counter[str] = Counter()
    for split, name in SETS.items():
        folder = place / name
        videos = files_below(str(folder), "meiju2025_root", "videos", suffixes=VIDEO)
        texts, listed = _read_tables(folder)
        # What is listed but not there is left to stage 1, which says that it can't be read.
        files = {PurePath(file).stem: folder / file for file in listed} | videos
        emotion_of = {PurePath(file).stem: emotion for file, emotion in listed.items()}
        counts.update(emotion_of.values())
        for stem, file in files.items():
            emotion = labels.map(emotion_of[stem]) if stem in emotion_of else None
            utterances.append(
                Utterance(
                    id=f"meiju2025-{stem}",
                    audio=str(file),
                    split=split if emotion else f"{split}_other",
                    emotion=emotion,
                    text=texts.get(stem),
                )
            )
        for what, known in (("emotion", emotion_of), ("transcript", texts)):
            n = len(files.keys() - known.keys())
            notes += [f"{split}: {n} clips have no {what}, it is {UNKNOWN}"] * bool(n)
        if n := len(texts.keys() - files.keys()):
            notes.append(f"{split}: {n} transcripts belong to no clip and are left out")
        notes += differences({split: len(files)}, {split: PUBLISHED[split]}, "set")
    return Corpus(utterances, notes=notes + unmapped(labels, counts))


def _read_tables(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Words by clip, and emotions by file name, of a split."""
    tables = [*folder.iterdir(), *folder.parent.glob(f"{folder.name}*")]
    tables = sorted(path for path in tables if path.suffix.lower() in (".txt", ".csv"))
    words = [path for path in tables if path.stem.lower().endswith("_transcription")]
    lists = [path for path in tables if path not in words and _is_list(path)]
    for found in (words, lists):
        if len(found) > 1:
            raise UserError(f"{found[0]} and {found[1]} hold the same: remove one")
    texts, emotions = _read_words(words[0]) if words else ({}, {})
    emotions = _read_list(lists[0]) if lists else emotions
    if not emotions:
        raise UserError(
            f"there are no labels of {folder}: no text file in it, or beside it with its name in "
            "front, has lines `<name.ext> <emotion> <intent>`, and no transcripts have a column "
            "`emotion`"
        )
    return {PurePath(file).stem: text for file, text in texts.items()}, emotions


def _entry(fields: Sequence[str]) -> list[str] | None:
    """File, emotion and intent, be they separated by spaces or otherwise."""
    words = " ".join(fields).split()
    return words if len(words) == 3 and PurePath(words[0]).suffix else None


def _is_list(path: Path) -> bool:
    _, fields = next(read_table(path), (1, []))
    return _entry(fields) is not None


def _read_list(path: Path) -> dict[str, str]:
    """Emotions by file name."""
    emotions: dict[str, str] = {}
    stems: set[str] = set()
    for line, fields in read_table(path):
        entry = _entry(fields)
        if not entry:
            raise UserError(f"{path}:{line}: not `<name.ext> <emotion> <intent>`: {fields}")
        if PurePath(entry[0]).stem in stems:
            raise UserError(f"{path}:{line}: {entry[0]} is there twice")
        stems.add(PurePath(entry[0]).stem)
        emotions[entry[0]] = entry[1]
    return emotions


def _read_words(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Words by file name, and emotions if there is such a column; empty fields are left out."""
    rows: dict[str, dict[str, str]] = {}
    file_column = text_column = ""
    for line, fields in read_rows(path, lower=True):
        file_column, text_column = (_column(path, list(fields), known) for known in (FILE, TEXT))
        row = {name: field.strip() for name, field in fields.items()}
        file = row[file_column]
        if not file:
            raise UserError(f"{path}:{line}: the file name is empty")
        if file in rows:
            raise UserError(f"{path}:{line}: {file} is there twice")
        rows[file] = row
    texts = {file: row[text_column] for file, row in rows.items() if row[text_column]}
    return texts, {file: row[EMOTION] for file, row in rows.items() if row.get(EMOTION)}


def _column(path: Path, names: Sequence[str], known: Sequence[str]) -> str:
    """Which of the known names a table's header has."""
    for name in known:
        if name in names:
            return name
    raise UserError(f"{path}: the header has no column {' or '.join(known)}, only {names}")
