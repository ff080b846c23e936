"""A corpus of one's own, described by a manifest: a table with one row per utterance.

Columns: ``path`` (required; relative to the manifest's folder or absolute), ``emotion``,
``gender``, ``speaker``, ``text``, ``split``, ``start``, ``end`` (seconds), ``id``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from sermtl.corpora.manifest import Manifest, Row, read_manifest, read_table
from sermtl.corpora.manifest_split import Item, stored_split
from sermtl.data.labels import NOTHING, LabelInventory
from sermtl.data.splits import is_set_name
from sermtl.data.tasks import CLASS_FILES
from sermtl.data.utterance import UNKNOWN, Corpus, Utterance
from sermtl.documents import PlainLoader, read_yaml
from sermtl.errors import UserError, excerpt
from sermtl.files import sha256
from sermtl.terminal import printable

TASKS = {**{task: task for task in CLASS_FILES}, "text": "transcript"}


def load(
    labels: LabelInventory | None,
    datadir: Path,
    manifest: str,
    label_map: str = "",
    split_seed: str = "0",
) -> Corpus:
    """Read a manifest, with its own split or one that is made and kept in ``split.csv``.

    Args:
        labels: classes, if the recipe has a ``labels.yaml``; else the labels found are classes.
        datadir: holds ``split.csv``.
        manifest: the table's file.
        label_map: YAML mapping, or table of two columns, from the manifest's labels to classes.
        split_seed: of the split, where the manifest has none.

    Raises:
        UserError: naming file and line of what is wrong.
    """
    # Resolved, so that a run from another folder finds its work done.
    path = Path(manifest).parent.resolve() / Path(manifest).name
    table = read_manifest(path)
    audio = _find_audio(path, table.rows)
    speakers = _without_spaces(path, table.rows)
    ids = _ids(path, table.rows, speakers)
    notes = _remarks(table)
    splits, remarks = _splits(path, table.rows, ids, speakers, datadir, split_seed)
    notes += remarks
    emotion_of = _emotion_map(labels, label_map)
    utterances = [
        Utterance(
            id=utt_id,
            audio=str(audio[row.path]),
            split=split,
            emotion=emotion_of(row.emotion) if row.emotion else None,
            gender=row.gender,
            speaker=speakers.get(row.speaker),
            text=row.text,
            start=row.start,
            end=row.end,
        )
        for row, utt_id, split in zip(table.rows, ids, splits, strict=True)
    ]
    unmapped = Counter(r.emotion for r in table.rows if r.emotion and not emotion_of(r.emotion))
    notes += [
        f"label {label!r} is mapped to no class: {n} utterances are kept as {UNKNOWN}"
        for label, n in sorted(unmapped.items())
    ]
    classes = {u.emotion for u in utterances if u.emotion}
    for label, n in Counter(label.lower() for label in classes).items():
        if n > 1:
            notes.append(f"{n} spellings of the label {label!r} are classes apart; see --label_map")
    return Corpus(utterances, notes=notes)


def _find_audio(manifest: Path, rows: Sequence[Row]) -> dict[str, Path]:
    """Path as written -> file; white space around it counts where there is such a file.

    What is there and is no file, a folder say or a link to nowhere, is stage 1's to tell and count.
    """
    found = {row.path: manifest.parent / row.path for row in rows}
    for written, file in found.items():
        if written != written.strip() and not _is_there(file):
            found[written] = manifest.parent / written.strip()
    missing = {written for written, file in found.items() if not _is_there(file)}
    lines = [row.line for row in rows if row.path in missing]
    if lines:
        first = next(row for row in rows if row.path in missing)
        more = f" (and {len(lines) - 1} more rows)" if len(lines) > 1 else ""
        name = excerpt(printable(str(found[first.path])))
        raise UserError(f"{manifest}:{first.line}: there is no file {name}{more}")
    return found


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except PermissionError:  # nobody can say
        return True
    except (OSError, ValueError):  # a name that is too long, or holds a zero byte
        return False
    return True


def _without_spaces(manifest: Path, rows: Sequence[Row]) -> dict[str | None, str]:
    """Speaker as written -> name without white space, which data dirs need."""
    names: dict[str | None, str] = {}
    owners: dict[str, str] = {}
    for row in rows:
        if row.speaker and row.speaker not in names:
            name = row.speaker.replace(" ", "_")
            if name in owners:
                raise UserError(
                    f"{manifest}:{row.line}: speakers {owners[name]!r} and {row.speaker!r} would "
                    f"both be {name}: rename one"
                )
            names[row.speaker] = name
            owners[name] = row.speaker
    return names


def _ids(manifest: Path, rows: Sequence[Row], speakers: dict[str | None, str]) -> list[str]:
    """An id per row: its own, or speaker and file name, with the folder if need be."""
    ids = []
    # The shortest of these that no other row has; only a true duplicate is left without one.
    names: list[Callable[[Row], str]] = [
        lambda row: PurePath(row.path).stem,
        lambda row: _joined(PurePath(row.path).with_suffix("")),
        lambda row: _joined(PurePath(row.path)),
    ]
    made = [[_made_id(row, name(row), speakers) for name in names] for row in rows]
    uses = [Counter(column) for column in zip(*made, strict=True)]
    for row, candidates in zip(rows, made, strict=True):
        if row.id and " " in row.id:
            raise UserError(
                f"{manifest}:{row.line}: an id can't hold white space: {excerpt(row.id)!r}"
            )
        unique = [name for name, n in zip(candidates, uses, strict=True) if n[name] == 1]
        ids.append(row.id or (unique or candidates)[0])
    lines = defaultdict(list)
    for row, utt_id in zip(rows, ids, strict=True):
        lines[utt_id].append(row.line)
        if len(lines[utt_id]) > 1:
            raise UserError(
                f"{manifest}:{row.line}: the utterance {utt_id} is on line {lines[utt_id][0]}, "
                "too; remove one, or tell them apart in the column `id`"
            )
    return ids


def _made_id(row: Row, name: str, speakers: dict[str | None, str]) -> str:
    parts = [speakers[row.speaker]] if row.speaker else []
    parts.append("_".join(name.split()))
    if row.start is not None or row.end is not None:
        end = "end" if row.end is None else f"{round(row.end * 1000):07d}"
        parts.append(f"{round((row.start or 0) * 1000):07d}-{end}")
    return "-".join(parts)


def _joined(path: PurePath) -> str:
    return "_".join(part for part in path.parts if part not in ("/", ".", ".."))


def _remarks(table: Manifest) -> list[str]:
    """What the user may not expect of the columns."""
    notes = [f"column {name!r} of the manifest has no meaning here" for name in table.ignored]
    for column, task in TASKS.items():
        known = sum(getattr(row, column) is not None for row in table.rows)
        if not known:
            notes.append(f"the manifest has no {column}: the {task} task can't be trained on it")
        elif known < len(table.rows):
            notes.append(f"{column} is unknown in {len(table.rows) - known} utterances")
    return notes


def _splits(
    manifest: Path,
    rows: Sequence[Row],
    ids: Sequence[str],
    speakers: dict[str | None, str],
    datadir: Path,
    seed: str,
) -> tuple[list[str], list[str]]:
    """The set of each row, and notes."""
    if not any(row.split for row in rows):
        if not seed.isdecimal():
            raise UserError(f"--split_seed must be a whole number, not {seed!r}")
        items = [
            Item(utt_id, speakers.get(row.speaker), row.emotion, row.gender)
            for row, utt_id in zip(rows, ids, strict=True)
        ]
        split, notes = stored_split(datadir / "split.csv", items, sha256(manifest), int(seed))
        return [split[utt_id] for utt_id in ids], notes
    sets = defaultdict(set)
    for row in rows:
        if not row.split:
            raise UserError(
                f"{manifest}:{row.line}: no split, but other rows have one: give all or none"
            )
        if not is_set_name(row.split):
            raise UserError(f"{manifest}:{row.line}: {row.split!r} can't be the name of a set")
        if row.speaker:
            sets[row.speaker].add(row.split)
    names = [row.split or "" for row in rows]
    if len({name.lower() for name in names}) < len(set(names)):
        raise UserError(
            f"{manifest}: sets that differ in capitals only: {', '.join(sorted(set(names)))}"
        )
    shared = {speaker: of for speaker, of in sets.items() if len(of) > 1}
    notes = [
        f"split: {len(shared)} speakers are in more than one set, such as {speaker} in "
        f"{', '.join(sorted(of))}; scores on known voices flatter"
        for speaker, of in list(shared.items())[:1]
    ]
    return names, notes


def _emotion_map(labels: LabelInventory | None, file: str) -> Callable[[str], str | None]:
    """The class of a manifest's label."""
    renamed = _read_label_map(Path(file)) if file else None

    def map_label(label: str) -> str | None:
        name = label if renamed is None else renamed.get(label)
        return labels.map(name) if labels and name else name

    return map_label


def _read_label_map(path: Path) -> dict[str, str | None]:
    """Label -> class, or ``None``, from YAML or a table of two columns."""
    if path.suffix.lower() in (".csv", ".tsv"):
        pairs = {}
        for line, fields in read_table(path):
            if len(fields) != 2:
                raise UserError(f"{path}:{line}: two columns are needed: label, class")
            label, name = (field.strip() for field in fields)
            if pairs.setdefault(label, name) != name:
                raise UserError(f"{path}:{line}: {label!r} is mapped to {pairs[label]!r} already")
    else:
        pairs = read_yaml(path, PlainLoader)
        if not isinstance(pairs, dict) or not all(isinstance(v, str) for v in pairs.values()):
            raise UserError(f"{path} must be a mapping of label to class")
    return {label: None if name in NOTHING else name for label, name in pairs.items()}
