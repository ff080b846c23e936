"""A manifest: one table, CSV or TSV, that describes a corpus of one's own."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError, excerpt

COLUMNS = ("path", "emotion", "gender", "speaker", "text", "split", "start", "end", "id")
DELIMITERS = (",", "\t", ";")
GENDERS = {"m": "male", "man": "male", "male": "male"}
GENDERS |= {"f": "female", "woman": "female", "female": "female"}


@dataclass(frozen=True)
class Row:
    """One utterance of a manifest; ``None`` where a field is empty or its column absent."""

    line: int  # in the manifest, where the row begins
    path: str  # as written, relative to the manifest's folder or absolute
    emotion: str | None = None
    gender: str | None = None
    speaker: str | None = None
    text: str | None = None
    split: str | None = None
    start: float | None = None  # seconds
    end: float | None = None
    id: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The rows of a manifest, and the names of its columns that have no meaning here."""

    rows: list[Row]
    ignored: list[str]


def read_manifest(path: str | Path) -> Manifest:
    """Read a manifest; the header decides the delimiter: comma, tab or semicolon.

    Raises:
        UserError: naming file and line, for anything that isn't a well-formed table, an empty
            path, and values of gender, start or end that make no sense.
    """
    path = Path(path)
    rows, names = [], []
    for line, fields in read_rows(path, ["path"], lower=True):
        names = list(fields)
        rows.append(_row(f"{path}:{line}", line, fields))
    return Manifest(rows, [name for name in names if name not in COLUMNS])


def read_rows(
    path: Path, required: Iterable[str] = (), lower: bool = False
) -> Iterator[tuple[int, dict[str, str]]]:
    """The records of a table with a header: line, and fields by column.

    Args:
        path: of the table.
        required: columns that it must have.
        lower: write the columns' names in small letters.

    Raises:
        UserError: as `read_table`, if a column is missing or twice there, a record has more or
            fewer fields than the header, or there is none.
    """
    records = read_table(path)
    line, header = next(records, (1, []))
    if not header:
        raise UserError(f"{path}:1: the file is empty")
    names = [name.strip().lower() if lower else name.strip() for name in header]
    for name in required:
        if name not in names:
            raise UserError(
                f"{path}:{line}: the header has no column `{name}`, only {excerpt(str(header))}"
            )
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}:{line}: two columns are called {excerpt(name)!r}")
    line = 0
    for line, fields in records:
        if len(fields) != len(names):
            raise UserError(
                f"{path}:{line}: {len(fields)} fields, the header has {len(names)} columns "
                "(a field that holds the delimiter must be quoted)"
            )
        yield line, dict(zip(names, fields, strict=True))
    if not line:
        raise UserError(f"{path} has a header and no rows")


def read_table(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The non-empty records of a delimited file, each with the line on which it begins.

    Raises:
        UserError: if the file is missing, isn't UTF-8 text, or has a broken quotation.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from error
    if "\0" in text:  # UTF-16 of Latin letters is UTF-8, too
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(f"{path}:{line}: a NUL byte, so no UTF-8 text; save the file as UTF-8")
    first = next(filter(str.strip, io.StringIO(text, newline=None)), "")
    delimiter = max(DELIMITERS, key=first.count)
    yield from read_records(path, io.StringIO(text, newline=""), delimiter)


def read_records(
    path: Path, lines: Iterable[str], delimiter: str = ","
) -> Iterator[tuple[int, list[str]]]:
    """The non-empty records of a delimited file's lines, each with the line on which it begins.

    Raises:
        UserError: naming ``path`` and the line, for a broken quotation.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    try:
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{path}:{line}: {error} (is a quote not closed, or one inside a quoted field not "
            "written twice?)"
        ) from error


def _row(where: str, line: int, fields: dict[str, str]) -> Row:
    values = {
        name: " ".join(value.split())
        for name, value in fields.items()
        if name in COLUMNS and value.strip() not in ("", UNKNOWN)
    }
    if "path" not in values:
        raise UserError(f"{where}: the path is empty")
    start, end = _seconds(where, "start", values), _seconds(where, "end", values)
    if end is not None and end <= (start or 0.0):
        raise UserError(f"{where}: end {end} s is not after start {start or 0.0} s")
    return Row(
        line=line,
        path=fields["path"],  # as it is: file names may hold spaces anywhere
        emotion=values.get("emotion"),
        gender=parse_gender(where, values.get("gender")),
        speaker=values.get("speaker"),
        text=values.get("text"),
        split=values.get("split"),
        start=start,
        end=end,
        id=values.get("id"),
    )


def _seconds(where: str, name: str, values: dict[str, str]) -> float | None:
    if name not in values:
        return None
    try:
        seconds = float(values[name])
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise UserError(
            f"{where}: {name} must be a number of seconds, not {excerpt(values[name])!r}"
        )
    return seconds


def parse_gender(where: str, value: str | None) -> str | None:
    """``female``, ``male``, or ``None`` for unknown, of the spellings that people use.

    Raises:
        UserError: for anything else.
    """
    if value is None or value.lower() in ("unknown", UNKNOWN):
        return None
    if value.lower() not in GENDERS:
        raise UserError(
            f"{where}: gender must be male, female (or m, f), or empty if unknown, not "
            f"{excerpt(value)!r}"
        )
    return GENDERS[value.lower()]
