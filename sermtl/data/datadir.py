"""Kaldi-style data dirs: one file per kind of label, all with the same sorted utterance ids."""

from __future__ import annotations

import math
from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sermtl.data.tasks import LABEL_FILES
from sermtl.data.utterance import UNKNOWN, Utterance
from sermtl.errors import UserError, excerpt
from sermtl.files import atomic_write

# Never a file `utt2category`: ESPnet picks that up by its name and composes batches of one class.
FILES = ("wav.scp", *LABEL_FILES.values(), "utt2dur")
SPK2UTT = "spk2utt"
LENGTHS = "utt2num_samples"  # only dumped sets have it


@dataclass(frozen=True)
class DataDir:
    """The columns of a data dir, each by utterance id."""

    columns: dict[str, dict[str, str]]  # file name -> id -> value

    @property
    def ids(self) -> list[str]:
        """Utterance ids in order."""
        return list(self.columns["wav.scp"])


def read_column(path: str | Path) -> dict[str, str]:
    """One file: utterance id, a space, and the value, which may hold spaces.

    Raises:
        UserError: naming file and line, for what isn't UTF-8, Windows line ends, empty lines,
            missing values, and ids that repeat or aren't sorted.
    """
    path = Path(path)
    values: dict[str, str] = {}
    previous = ""
    lines = _decoded(path).split("\n")
    if lines[-1]:
        raise UserError(f"{path}:{len(lines)}: the last line has no line end; is the file cut off?")
    for number, line in enumerate(lines[:-1], 1):
        where = f"{path}:{number}"
        if "\r" in line:  # others that read the file would see two lines
            raise UserError(f"{where}: Windows line end; convert the file, e.g. with dos2unix")
        utt_id, _, value = line.partition(" ")
        if not utt_id:
            raise UserError(f"{where}: empty line or no utterance id")
        if utt_id.split() != [utt_id]:
            raise UserError(
                f"{where}: id and value must be one space apart, and the id without white space: "
                f"{excerpt(utt_id)!r}"
            )
        if not value.strip():
            raise UserError(
                f"{where}: {excerpt(utt_id)} has no value (write {UNKNOWN} for unknown)"
            )
        if utt_id in values:
            raise UserError(f"{where}: {utt_id} appears twice")
        if utt_id < previous:
            raise UserError(
                f"{where}: not sorted, {excerpt(utt_id)} after {excerpt(previous)} "
                "(sort with LC_ALL=C)"
            )
        values[utt_id] = value.strip()
        previous = utt_id
    return values


def _decoded(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: run stage 1 (data preparation) first") from error
    if content.startswith(BOM_UTF8):  # which Kaldi and ESPnet take for a part of the first id
        raise UserError(f"{path}:1: a byte order mark (BOM); save the file as UTF-8 without")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from error


def as_numbers(path: Path, column: Mapping[str, str]) -> dict[str, float]:
    """A file's values as numbers from 0 on.

    Raises:
        UserError: naming file and line of another value.
    """
    numbers: dict[str, float] = {}
    for line, (utt_id, text) in enumerate(column.items(), 1):
        try:
            numbers[utt_id] = float(text)
        except ValueError:
            numbers[utt_id] = math.nan
        if not 0 <= numbers[utt_id] < math.inf:
            raise UserError(
                f"{path}:{line}: {utt_id} has {excerpt(text)!r}, not a number: run stage 1 again"
            )
    return numbers


def read_lengths(folder: Path, ids: Collection[str]) -> dict[str, int]:
    """Samples of a dumped set's utterances.

    Raises:
        UserError: as `read_column`, if they aren't those of ``ids``, or a value is no number.
    """
    path = folder / LENGTHS
    column = read_column(path)
    same_ids(path, column, folder / "wav.scp", ids)
    numbers = as_numbers(path, column)
    for line, (utt_id, number) in enumerate(numbers.items(), 1):
        if not number.is_integer():
            raise UserError(f"{path}:{line}: {utt_id} has {number} samples: run stage 1 again")
    return {utt_id: int(number) for utt_id, number in numbers.items()}


def same_ids(path: Path, column: Iterable[str], other: Path, ids: Collection[str]) -> None:
    """Refuse a file that hasn't the utterances of another one."""
    lines = {u: number for number, u in enumerate(ids, 1)}
    there = set()
    for number, utt_id in enumerate(column, 1):
        if utt_id not in lines:
            raise UserError(f"{path}:{number}: {excerpt(utt_id)} isn't in {other.name}")
        there.add(utt_id)
    for utt_id, number in lines.items():
        if utt_id not in there:
            raise UserError(f"{other}:{number}: {excerpt(utt_id)} is missing from {path.name}")


def read_data_dir(folder: str | Path) -> DataDir:
    """All files of a data dir.

    Raises:
        UserError: as `read_column`, if the files don't hold the same utterances, if ``spk2utt``
            isn't the inverse of ``utt2spk``, and if audio is missing.
    """
    folder = Path(folder)
    columns = {name: read_column(folder / name) for name in FILES}
    for name, column in columns.items():
        same_ids(folder / name, column, folder / "wav.scp", columns["wav.scp"])
    if (folder / SPK2UTT).exists():
        _check_speakers(folder / SPK2UTT, _inverse(columns["utt2spk"]))
    _check_audio(folder / "wav.scp", columns["wav.scp"].values())
    return DataDir(columns)


def _inverse(utt2spk: Mapping[str, str]) -> dict[str, str]:
    members: dict[str, list[str]] = defaultdict(list)
    for utt_id, speaker in sorted(utt2spk.items()):
        members[speaker].append(utt_id)
    return {speaker: " ".join(members[speaker]) for speaker in sorted(members)}


def _check_speakers(path: Path, expected: Mapping[str, str]) -> None:
    found = read_column(path)
    for number, (speaker, ids) in enumerate(found.items(), 1):
        if " ".join(ids.split()) != expected.get(speaker):
            raise UserError(
                f"{path}:{number}: {excerpt(speaker)} has other utterances in utt2spk: mend one "
                f"of them, or remove {path.name}"
            )
    if missing := expected.keys() - found.keys():
        raise UserError(f"{path}: {min(missing)}, who is in utt2spk, is missing: remove the file")


def audio_file(place: str) -> str:
    """The file of an entry of wav.scp: the entry itself, or the archive of ``archive:offset``."""
    archive, _, offset = place.rpartition(":")
    return archive if archive and offset.isdecimal() else place


def _check_audio(path: Path, places: Iterable[str]) -> None:
    """Refuse a wav.scp that names a file, or an archive (``file:offset``), that isn't there; and
    commands, which Kaldi would run: the data may be a stranger's."""
    there: dict[str, bool] = {}
    for number, place in enumerate(places, 1):
        if place.startswith("|") or place.endswith("|"):
            raise UserError(f"{path}:{number}: {place} is a command: write its output to a file")
        file = audio_file(place)
        if file not in there:
            there[file] = Path(file).is_file()
        if not there[file]:
            raise UserError(
                f"{path}:{number}: there is no audio file {file}: bring it back, or run stage 1"
            )


def unfit(path: str) -> str | None:
    """Why a file's path can't stand in wav.scp; ``None`` if it can."""
    if "\n" in path or "\r" in path:
        return "a line break"
    if path != path.strip():
        return "white space at its end"
    if path.endswith("|"):
        return "a | at its end, which Kaldi takes for a command"
    if audio_file(path) != path:
        return "a number behind a colon at its end, which Kaldi takes for a place in an archive"
    return None if _is_utf8(path) else "bytes that aren't UTF-8"


def _is_utf8(text: str) -> bool:
    """Other bytes of a file's name are surrogates in Python."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def write_column(path: Path, values: Mapping[str, str]) -> None:
    """One file, sorted by id.

    Raises:
        UserError: for an id with white space, an empty value, and what isn't UTF-8.
    """
    with atomic_write(path) as stream:
        for utt_id in sorted(values):
            value = values[utt_id]
            if not utt_id or len(utt_id.split()) != 1 or utt_id != utt_id.strip():
                raise UserError(
                    f"{path}: ids of utterances and speakers can't hold white space: {utt_id!r}"
                )
            if not value.strip() or "\n" in value or "\r" in value:
                raise UserError(f"{path}: {utt_id} has an empty value or a line break: {value!r}")
            if not _is_utf8(utt_id + value):
                raise UserError(f"{path}: not UTF-8: {utt_id!r} {value!r}")
            stream.write(f"{utt_id} {value}\n")


def write_data_dir(folder: Path, columns: Mapping[str, Mapping[str, str]]) -> None:
    """The given columns, and ``spk2utt`` with ``utt2spk``."""
    for name, values in columns.items():
        write_column(folder / name, values)
    if "utt2spk" in columns:
        write_column(folder / SPK2UTT, _inverse(columns["utt2spk"]))


def label_columns(utterances: Iterable[Utterance]) -> dict[str, dict[str, str]]:
    """The label files' columns of utterances; what is unknown is ``<unk>``."""
    columns: dict[str, dict[str, str]] = {file: {} for file in LABEL_FILES.values()}
    for u in utterances:
        for label, file in LABEL_FILES.items():
            value = " ".join((getattr(u, label) or "").split())
            columns[file][u.id] = value or UNKNOWN
    return columns


def merge(folders: Sequence[Path]) -> DataDir:
    """The union of disjoint data dirs, sorted.

    Raises:
        UserError: if an utterance is in two of them.
    """
    columns: dict[str, dict[str, str]] = {name: {} for name in FILES}
    for folder in folders:
        part = read_data_dir(folder)
        if twice := columns["wav.scp"].keys() & part.columns["wav.scp"].keys():
            raise UserError(f"{folder}: {min(twice)} is in another of the sets, too")
        for name in FILES:
            columns[name] |= part.columns[name]
    return DataDir({name: dict(sorted(column.items())) for name, column in columns.items()})
