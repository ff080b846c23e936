"""Kaldi-style data dirs: one file per kind of label, all with the same sorted utterance ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sermtl.data.tasks import LABEL_FILES
from sermtl.data.utterance import UNKNOWN, Utterance
from sermtl.errors import UserError
from sermtl.files import atomic_write

# Never a file `utt2category`: ESPnet picks that up by its name and composes batches of one class.
FILES = ("wav.scp", *LABEL_FILES.values(), "utt2dur")


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
        UserError: naming file and line, for Windows line ends, empty lines, missing values, and
            ids that repeat or aren't sorted.
    """
    path = Path(path)
    try:
        content = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: run the stage before first") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from error
    values: dict[str, str] = {}
    previous = ""
    lines = content.split("\n")
    if lines[-1]:
        raise UserError(f"{path}:{len(lines)}: the last line has no line end; is the file cut off?")
    for number, line in enumerate(lines[:-1], 1):
        where = f"{path}:{number}"
        if line.endswith("\r"):
            raise UserError(f"{where}: Windows line end; convert the file, e.g. with dos2unix")
        utt_id, _, value = line.partition(" ")
        if not utt_id:
            raise UserError(f"{where}: empty line or no utterance id")
        if not value.strip():
            raise UserError(f"{where}: {utt_id} has no value (write {UNKNOWN} for unknown)")
        if utt_id in values:
            raise UserError(f"{where}: {utt_id} appears twice")
        if utt_id < previous:
            raise UserError(f"{where}: not sorted, {utt_id} after {previous} (sort with LC_ALL=C)")
        values[utt_id] = value.strip()
        previous = utt_id
    return values


def read_data_dir(folder: str | Path) -> DataDir:
    """All files of a data dir.

    Raises:
        UserError: as `read_column`, if the files don't hold the same utterances, and if audio is
            missing.
    """
    folder = Path(folder)
    columns = {name: read_column(folder / name) for name in FILES}
    lines = {u: number for number, u in enumerate(columns["wav.scp"], 1)}
    for name, column in columns.items():
        for number, utt_id in enumerate(column, 1):
            if utt_id not in lines:
                raise UserError(f"{folder / name}:{number}: {utt_id} isn't in wav.scp")
        for utt_id, number in lines.items():
            if utt_id not in column:
                raise UserError(f"{folder / 'wav.scp'}:{number}: {utt_id} is missing from {name}")
    _check_audio(folder / "wav.scp", columns["wav.scp"].values())
    return DataDir(columns)


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
            raise UserError(f"{path}:{number}: there is no audio file {file}")


def write_column(path: Path, values: Mapping[str, str]) -> None:
    """One file, sorted by id.

    Raises:
        UserError: for an id with white space, or an empty value.
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
            stream.write(f"{utt_id} {value}\n")


def write_data_dir(folder: Path, columns: Mapping[str, Mapping[str, str]]) -> None:
    """The given columns, and ``spk2utt`` with ``utt2spk``."""
    for name, values in columns.items():
        write_column(folder / name, values)
    if "utt2spk" in columns:
        members: dict[str, list[str]] = defaultdict(list)
        for utt_id, speaker in sorted(columns["utt2spk"].items()):
            members[speaker].append(utt_id)
        write_column(folder / "spk2utt", {s: " ".join(ids) for s, ids in members.items()})


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
