"""MELD: Multimodal EmotionLines Dataset, dialogues of the television series Friends.

Poria et al. 2019, doi:10.18653/v1/P19-1050; annotations GPL-3.0;
https://github.com/declare-lab/MELD. Each utterance is a video of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.files import VIDEO, files_below, walk
from sermtl.corpora.manifest import read_rows
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import Corpus, Utterance
from sermtl.errors import UserError

FOLDERS = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
PUBLISHED = {  # rows of each emotion
    name: dict(zip(EMOTIONS, rows, strict=True))
    for name, rows in {
        "train": (1109, 271, 268, 1743, 4710, 683, 1205),
        "dev": (153, 22, 40, 163, 470, 111, 150),
        "test": (345, 68, 50, 402, 1256, 208, 281),
    }.items()
}
# The tables hold numbers of Windows-1252 as if they were Unicode's: U+0092 where ’ is meant.
OCTETS = b"\x85\x91\x92\x93\x94\x96\x97"
WINDOWS_1252 = dict(zip(OCTETS, OCTETS.decode("cp1252"), strict=True))
GROUP = re.compile(r"\b(all|both|everybody|everyone|and)\b|[&,]", re.IGNORECASE)


def load(labels: LabelInventory, datadir: Path, meld_root: str) -> Corpus:
    """Read ``<set>_sent_emo.csv`` and the videos of each set, both anywhere below ``meld_root``.

    A row without a video is left out, as is a video without a row; both are reported. Who speaks
    is unknown where the table names a group.

    Raises:
        UserError: if a table or all videos of a set are missing, if there are two copies of either,
            or a row is malformed or there twice.
    """
    utterances: list[Utterance] = []
    notes: list[str] = []
    emotions: Counter[str] = Counter()
    groups: Counter[str] = Counter()
    for name, folder in FOLDERS.items():
        table = _table(meld_root, f"{name}_sent_emo.csv")
        videos = files_below(meld_root, "meld_root", f"{folder}/*.mp4", f"{folder}/*", VIDEO)
        rows = _rows(table)
        for clip, row in rows.items():
            if clip not in videos:
                continue
            speaker = "_".join(row["Speaker"].split())
            if GROUP.search(row["Speaker"]):
                groups[row["Speaker"]] += 1
                speaker = ""
            emotions[row["Emotion"]] += 1
            utterances.append(
                Utterance(
                    id=f"meld-{name}-{clip}",
                    audio=str(videos[clip]),
                    split=name,
                    emotion=labels.map(row["Emotion"]),
                    speaker=f"meld_{speaker}" if speaker else None,
                    text=row["Utterance"] or None,
                )
            )
        found = Counter(row["Emotion"] for row in rows.values())
        notes += differences(found, PUBLISHED[name], f"{name}: emotion")
        if lone := rows.keys() - videos.keys():
            notes.append(f"{name}: {len(lone)} rows without a video are left out ({_some(lone)})")
        if lone := videos.keys() - rows.keys():
            notes.append(f"{name}: {len(lone)} videos without a row are left out ({_some(lone)})")
    if groups:
        n = groups.total()
        notes.append(f"{n} clips are spoken by a group ({_some(groups)}): no speaker is given")
    return Corpus(utterances, notes=notes + unmapped(labels, emotions))


def _table(root: str, name: str) -> Path:
    """The table of that name; copies that hold the same do no harm."""
    found = sorted(file for file in walk(Path(root).resolve()) if file.name == name)
    if not found:
        raise UserError(f"no {name} below {root}: is --meld_root right?")
    for other in found[1:]:
        if other.read_bytes() != found[0].read_bytes():
            raise UserError(f"{other} isn't the same as {found[0]}: keep one of them")
    return found[0]


def _rows(table: Path) -> dict[str, dict[str, str]]:
    """The fields by column of each row, by the name of its video."""
    rows: dict[str, dict[str, str]] = {}
    for line, fields in read_rows(table, COLUMNS):
        row = {name: text.translate(WINDOWS_1252).strip() for name, text in fields.items()}
        numbers = row["Dialogue_ID"], row["Utterance_ID"]
        if not all(number.isdecimal() for number in numbers):
            raise UserError(f"{table}:{line}: dialogue and utterance must be numbers: {numbers}")
        clip = "dia{}_utt{}".format(*map(int, numbers))
        if clip in rows:
            raise UserError(f"{table}:{line}: {clip} is there twice: remove one of the rows")
        rows[clip] = row
    return rows


def _some(names: Iterable[str]) -> str:
    """The first three, for a note."""
    first = sorted(names)
    return ", ".join(first[:3] + ["..."] * (len(first) > 3))
