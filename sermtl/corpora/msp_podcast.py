"""MSP-Podcast: natural speech from podcasts, its emotions judged by five and more annotators.

Lotfian & Busso 2019, doi:10.1109/TAFFC.2017.2736999; Busso et al. 2025, arXiv:2509.09791; academic
licence of UT Dallas; https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.manifest import parse_gender, read_rows, read_table
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import UNKNOWN, Corpus, Utterance
from sermtl.documents import read_json
from sermtl.errors import UserError

SETS = {"Train": "train", "Development": "development", "Validation": "development"}
SETS |= {f"Test{k}": f"test{k}" for k in (1, 2, 3)}
HIDDEN = "test3"  # the organisers keep its labels
COLUMNS = ("FileName", "EmoClass", "SpkrID", "Gender", "Split_Set")
SPELLINGS = ("labels_consensus", "labels_concensus")
PARTITIONS = ("Partitions.txt", "Partition.txt")
# Utterances of the eight classes, of a set or of one of its classes, by release.
PUBLISHED = {
    "challenge2025": {"train": 66_992, "development": 25_258, HIDDEN: 3_200},
    "odyssey2024": {
        "train N": 25_106,
        "train H": 13_440,
        "train S": 3_882,
        "train A": 3_053,
        "train U": 2_897,
        "train C": 2_443,
        "train D": 1_426,
        "train F": 1_139,
        "development N": 5_667,
        "development H": 3_340,
        "development A": 2_413,
        "development C": 1_323,
        "development S": 1_101,
        "development U": 729,
        "development D": 486,
        "development F": 282,
    },
}


class Row(NamedTuple):
    """One labelled file."""

    place: int | str  # in the table: the line, or the key in JSON
    file: str
    emotion: str  # as written, like speaker and gender
    speaker: str
    gender: str
    split: str  # one of the values of `SETS`


def load(
    labels: LabelInventory,
    datadir: Path,
    msp_podcast_root: str,
    msp_podcast_release: str = "challenge2025",
) -> Corpus:
    """Read ``Labels``, ``Partitions.txt`` and ``Transcripts``; audio is in ``Audios``.

    Sets are ``train``, ``development`` and ``test1`` to ``test3``. Utterances without a class are
    in ``<set>_other``, except those of ``test3``, whose labels aren't public.

    Args:
        msp_podcast_release: whose published counts to compare with.

    Raises:
        UserError: for an unknown release, missing folders, a table that isn't well-formed, a set
            or gender that isn't MSP-Podcast's, and files that are in two sets.
    """
    if msp_podcast_release not in PUBLISHED:
        raise UserError(
            f"--msp_podcast_release {msp_podcast_release}: counts are known of "
            f"{', '.join(PUBLISHED)}; take the nearest one, differences are only noted"
        )
    root = Path(msp_podcast_root).resolve()  # so that a run from another folder finds its work done
    table, notes = _label_file(root / "Labels")
    audio = _existing([root / "Audios", root / "Audio"])
    rows = _by_file(table)
    candidates = [folder / name for folder in (root, root / "Labels") for name in PARTITIONS]
    partition = next((path for path in candidates if path.is_file()), None)
    listed = _listed(partition, table, rows) if partition else {}
    if listed and (n := len(rows.keys() - listed.keys())):
        notes.append(f"{n} files of {table.name} aren't in {partition.name}; is it cut off?")
    if not partition:
        notes.append(f"{root} has no Partitions.txt: files that only it lists are left out")
    extra = {file: split for file, split in listed.items() if file not in rows}
    utterances = []
    faults: Counter[tuple[str, str]] = Counter()  # transcripts that are no use, by set
    for row in [*rows.values(), *(Row("", file, "", "", "", extra[file]) for file in extra)]:
        emotion = labels.map(row.emotion)
        hidden = row.split == HIDDEN and row.file in extra
        split = row.split if emotion or hidden else f"{row.split}_other"
        stem = row.file.rsplit(".", 1)[0]
        text, fault = _transcript(f"{root}/Transcripts/{stem}.txt")
        if fault:
            faults[split, fault] += 1
        known = row.speaker.lower() not in ("", "unknown")
        utterances.append(
            Utterance(
                id=stem,
                audio=f"{audio}/{row.file}",
                split=split,
                emotion=emotion,
                gender=parse_gender(f"{table}:{row.place}", row.gender or None),
                speaker=f"msp_podcast-{row.speaker}" if known else None,
                text=text,
            )
        )
    published = PUBLISHED[msp_podcast_release]
    sizes = Counter(u.split for u in utterances)
    sizes += Counter(f"{u.split} {u.emotion}" for u in utterances)
    notes += differences({name: sizes[name] for name in published}, published, "set")
    notes += unmapped(labels, Counter(row.emotion for row in rows.values()))
    notes += [
        f"{split}: {n} files of {partition.name} have no row in {table.name} and are kept as "
        f"{UNKNOWN} in {split}_other"
        for split, n in sorted(Counter(extra.values()).items())
        if split != HIDDEN
    ]
    notes += [
        f"{split}: {n} transcripts are {fault}, their text is {UNKNOWN}"
        for (split, fault), n in sorted(faults.items())
    ]
    return Corpus(utterances, notes=notes)


def _existing(paths: Sequence[Path]) -> Path:
    """The first of some paths that exists."""
    for path in paths:
        if path.exists():
            return path
    names = " or ".join(path.name for path in paths)
    raise UserError(f"there is no {names} in {paths[0].parent}: is --msp_podcast_root right?")


def _label_file(folder: Path) -> tuple[Path, list[str]]:
    """The table of consensus labels, CSV if possible, and a note if there are two spellings."""
    candidates = [folder / f"{name}.{form}" for form in ("csv", "json") for name in SPELLINGS]
    table = _existing(candidates)
    others = [path.name for path in candidates if path.stem != table.stem and path.exists()]
    note = f"{folder} has both {table.name}, which is read, and {', '.join(others)}"
    return table, [note] * bool(others)


def _by_file(table: Path) -> dict[str, Row]:
    """The table's rows by file name."""
    rows: dict[str, Row] = {}
    for row in _read_csv(table) if table.suffix == ".csv" else _read_json(table):
        if not row.file:
            raise UserError(f"{table}:{row.place}: the file name is empty")
        if row.file in rows:
            raise UserError(f"{table}:{row.place}: {row.file} is at {rows[row.file].place}, too")
        rows[row.file] = row._replace(split=_set(table, row.place, row.split))
    return rows


def _read_csv(path: Path) -> Iterator[Row]:
    for line, fields in read_rows(path, COLUMNS):
        yield Row(line, *[fields[name].strip() for name in COLUMNS])


def _read_json(path: Path) -> Iterator[Row]:
    content = read_json(path, "fetch the file again")
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise UserError(f"{path} must be a mapping of file name to labels")
    for file, fields in content.items():
        if missing := [name for name in COLUMNS[1:] if fields.get(name) is None]:
            raise UserError(f"{path}:{file}: there is no {missing[0]}")
        yield Row(file, file, *[str(fields[name]).strip() for name in COLUMNS[1:]])


def _listed(path: Path, table: Path, rows: Mapping[str, Row]) -> dict[str, str]:
    """The set of each file in ``Partitions.txt``, whose lines are ``<set>; <file>``."""
    listed: dict[str, str] = {}
    for line, fields in read_table(path):
        name, *files = [field.strip() for field in fields]
        if not name and not files:
            continue
        if len(files) != 1 or not files[0]:
            raise UserError(f"{path}:{line}: not `<set>; <file>`; correct or remove the line")
        file, split = files[0], _set(path, line, name)
        row = rows.get(file)
        if row and row.split != split:
            raise UserError(
                f"{path}:{line}: {file} is in {split}, but {table}:{row.place} has it in "
                f"{row.split}; correct one of them"
            )
        if listed.setdefault(file, split) != split:
            raise UserError(f"{path}:{line}: {file} is in {listed[file]} already, not in {split}")
    return listed


def _set(path: Path, place: int | str, name: str) -> str:
    if name not in SETS:
        raise UserError(f"{path}:{place}: {name!r} is no set; there are {', '.join(SETS)}")
    return SETS[name]


def _transcript(path: str) -> tuple[str | None, str]:
    """Text, or ``None`` and why. One file per utterance: no time for `Path` and text streams."""
    try:
        with open(path, "rb", buffering=0) as stream:
            text = stream.read().decode("utf-8-sig").strip()
    except FileNotFoundError:
        return None, "missing"
    except UnicodeDecodeError:
        return None, "not UTF-8"
    return (text, "") if text else (None, "empty")
