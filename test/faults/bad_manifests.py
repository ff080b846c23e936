"""Faults of the recipe custom's manifest."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from bad_tables import Bad, both, harmless, noted, remove, replace, rewrite, write

FILE = "manifest.csv"
GOOD = """\
path,emotion,gender,speaker,text,split
ann-1.wav,joy,f,ann,good morning,train
ann-2.wav,sad,f,ann,oh no,train
bob-1.wav,joy,m,bob,good evening,train
bob-2.wav,sad,m,bob,not again,train
eve-1.wav,joy,f,eve,how nice,train
eve-2.wav,sad,f,eve,what a pity,train
cat-1.wav,joy,f,cat,good morning,valid
cat-2.wav,sad,f,cat,oh no,valid
dan-1.wav,joy,m,dan,good evening,test
dan-2.wav,sad,m,dan,not again,test
fay-1.wav,joy,f,fay,how nice,test
fay-2.wav,sad,f,fay,what a pity,test
"""
CLIPS = [line.split(",")[0] for line in GOOD.splitlines()[1:]]
LONG = "x" * 1_000_000


def _with(**columns: str):
    """More columns, empty but for the first row."""

    def change(text: str) -> str:
        head, first, *rest = text.splitlines()
        names, values = ",".join(columns), ",".join(columns.values())
        empty = "," * len(columns)
        return "\n".join([f"{head},{names}", f"{first},{values}", *(r + empty for r in rest)])

    return rewrite(FILE, change)


def _without(*names: str):
    """Fewer columns."""

    def change(text: str) -> str:
        rows = list(csv.DictReader(io.StringIO(text)))
        kept = [name for name in rows[0] if name not in names]
        lines = [kept, *([row[name] for name in kept] for row in rows)]
        return "".join(",".join(line) + "\n" for line in lines)

    return rewrite(FILE, change)


def _column(name: str, value: str):
    """One value in all rows."""

    def change(text: str) -> str:
        rows = [row | {name: value} for row in csv.DictReader(io.StringIO(text))]
        return "".join(",".join(line) + "\n" for line in [rows[0], *(r.values() for r in rows)])

    return rewrite(FILE, change)


def _delimiter(mark: str):
    return rewrite(FILE, lambda text: text.replace(",", mark))


def _first(clips: int):
    return rewrite(FILE, lambda text: "".join(text.splitlines(keepends=True)[: clips + 1]))


def _row(old: str, new: str):
    return replace(FILE, old, new)


def _encoded(encoding: str):
    return rewrite(FILE, lambda text: text.replace("oh no", "oh né").encode(encoding))


NOWHERE = [
    Bad("no file", remove(FILE), r"can't read .*manifest\.csv: No such file"),
    Bad(
        "a folder", both(remove(FILE), lambda f: (f / FILE).mkdir()), r"can't read .*manifest\.csv"
    ),
    Bad("empty file", write(FILE, ""), r"manifest\.csv:1: the file is empty"),
    Bad("blank lines only", write(FILE, "\n\n \n"), r"manifest\.csv:3: .*no column `path`"),
    Bad("header only", _first(0), r"manifest\.csv has a header and no rows"),
    Bad("no path column", _row("path", "file"), r"manifest\.csv:1: .*no column `path`"),
]
ENCODINGS = [
    harmless("BOM", rewrite(FILE, lambda text: "\ufeff" + text)),
    harmless("CRLF", rewrite(FILE, lambda text: text.replace("\n", "\r\n"))),
    harmless("lone CR", rewrite(FILE, lambda text: text.replace("\n", "\r"))),
    harmless("no last line end", rewrite(FILE, str.rstrip)),
    harmless("TSV named csv", _delimiter("\t")),
    harmless("semicolons", _delimiter(";")),
    noted(
        "commas between semicolons", both(_delimiter(";"), _row("oh no", "oh, no")), "train: 6 utt"
    ),
    Bad("UTF-16", _encoded("utf-16"), r"manifest\.csv:1: not UTF-8; save the file as UTF-8"),
    Bad(
        "UTF-16 without BOM",
        rewrite(FILE, lambda text: text.encode("utf-16-le")),
        r"manifest\.csv:1: .*NUL.*UTF-8",
    ),
    Bad("Latin-1", _encoded("latin-1"), r"manifest\.csv:3: not UTF-8"),
    Bad("a NUL byte", _row("oh no", "oh\0no"), r"manifest\.csv:3: .*NUL"),
    Bad("a zip file", write(FILE, b"PK\x03\x04\x14\x00\x08"), r"manifest\.csv:1: .*NUL"),
]
SHAPES = [
    noted("extra columns", _with(age="30"), "column 'age' of the manifest has no meaning"),
    Bad("a column twice", _with(text="x"), r"manifest\.csv:1: two columns are called 'text'"),
    Bad("too few fields", _row(",oh no,", ","), r"manifest\.csv:3: 5 fields, .* 6 columns"),
    Bad("too many fields", _row("oh no", "oh, no"), r"manifest\.csv:3: 7 fields, .* 6 columns"),
    Bad("an unclosed quote", _row("oh no", '"oh no'), r"manifest\.csv:3: .*quote"),
    Bad("a quote inside", _row("oh no", '"oh "no" "'), r"manifest\.csv:3: .*quote"),
    harmless("a quoted line break", _row("oh no", '"oh\r\nno"')),
    harmless("empty lines", rewrite(FILE, lambda text: text.replace("\n", "\n\n"))),
    Bad("a comment", _row("bob-1", "# men\nbob-1"), r"manifest\.csv:4: 1 fields"),
    Bad("Excel's sep line", _row("path", "sep=,\npath"), r"manifest\.csv:1: .*no column `path`"),
    Bad("a row of commas", _row("bob-1", ",,,,,\nbob-1"), r"manifest\.csv:4: the path is empty"),
    Bad("a long field", _row("oh no", LONG), r"manifest\.csv:3: .*limit \(131072\)"),
    Bad("many fields", _row("oh no", "," * len(LONG)), r"manifest\.csv:3: 1000006 fields"),
    Bad("a long header", _row("path,", f"{LONG[:9000]},"), r"manifest\.csv:1: .*no column `path`"),
    Bad("a long path", _row("ann-2", LONG[:9000]), r"manifest\.csv:3: there is no file .*xxx"),
]
PATHS = [
    Bad("an empty path", _row("ann-2.wav", " "), r"manifest\.csv:3: the path is empty"),
    Bad(
        "a missing clip", _row("ann-2", "ann-3"), r"manifest\.csv:3: there is no file .*ann-3\.wav"
    ),
    Bad("in capitals", _row("ann-2.wav", "ANN-2.WAV"), r"manifest\.csv:3: there is no file"),
    Bad("backslashes", _row("ann-2", ".\\ann-2"), r"manifest\.csv:3: there is no file"),
    Bad("a path twice", _row("ann-2", "ann-1"), r"manifest\.csv:3: .*is on line 2, too"),
    Bad("an id twice", both(_with(id="ann-ann-2")), r"manifest\.csv:3: .*ann-ann-2 is on line 2"),
    Bad("an id with spaces", _with(id="a b"), r"manifest\.csv:2: an id can't hold white space"),
    noted("an id with slashes", _with(id="../a/b"), "train: 6 utterances"),
    noted("an id like an option", _with(id="-a"), "train: 6 utterances"),
    harmless("an unknown id", _with(id="<unk>")),
]
STRETCHES = [
    Bad(
        "start after end",
        _with(start="0.2", end="0.1"),
        r"manifest\.csv:2: end 0\.1 s is not after",
    ),
    Bad("negative start", _with(start="-1"), r"manifest\.csv:2: start must be"),
    Bad("start in words", _with(start="soon"), r"manifest\.csv:2: start must be .*'soon'"),
    Bad("a decimal comma", _with(start='"0,1"'), r"manifest\.csv:2: start must be .*'0,1'"),
    Bad("infinite end", _with(end="inf"), r"manifest\.csv:2: end must be"),
    Bad("end beyond the clip", _with(end="9"), r"ann-1\.wav: no stretch from None to 9\.0 s"),
]
LABELS = [
    Bad("another gender", _row("joy,f", "joy,femal"), r"manifest\.csv:2: gender must be .*'femal'"),
    noted("capitals", _row("ann-1.wav,joy", "ann-1.wav,Joy"), r"2 spellings of the label 'joy'"),
    noted("a label unknown", _row("joy", "<unk>"), r"emotion is unknown in 1 utterances"),
    noted("no gender column", _without("gender"), r"gender task can't be trained"),
    Bad(
        "a class in valid only",
        _row("cat-1.wav,joy", "cat-1.wav,awe"),
        r"cat-1 .*'awe' is no class",
    ),
    noted(
        "a class in test only",
        _row("dan-1.wav,joy", "dan-1.wav,awe"),
        r"test: training has no 'awe' \(1 utt",
    ),
    Bad("one class only", _column("emotion", "joy"), r"all of train is 'joy'"),
    Bad("all labels unknown", _column("emotion", ""), r"no utterance of train has an emotion"),
    noted("one speaker", _column("speaker", "ann"), r"1 speakers are in more than one set"),
    noted(
        "a test speaker in train",
        _row("dan,good", "ann,good"),
        r"ann in test, train[^$]*test: 1 of 3 speakers \(1 utterances\)",
    ),
    Bad(
        "names alike",
        both(_row("ann,good", "a b,good"), _row("ann,oh", "a_b,oh")),
        r"csv:3: speakers",
    ),
]
SPLITS = [
    Bad("a set with spaces", _row("train", "my set"), r"manifest\.csv:2: 'my set' can't be"),
    Bad("a set with a slash", _row("train", "a/b"), r"manifest\.csv:2: 'a/b' can't be"),
    Bad("a set above", _row("train", ".."), r"manifest\.csv:2: '\.\.' can't be"),
    Bad("no set in a row", _row("train", ""), r"manifest\.csv:2: no split, but other rows"),
    Bad("sets in two spellings", _row("train", "Train"), r"manifest\.csv: .*capitals only"),
    Bad("no validation set", _column("split", "train"), r"no set 'valid'"),
    Bad("no split and one clip", both(_without("split"), _first(1)), r"1 utterances are too few"),
    noted("no split, one speaker", both(_without("split"), _column("speaker", "x")), r"flatter"),
]
MANIFESTS = NOWHERE + ENCODINGS + SHAPES + PATHS + STRETCHES + LABELS + SPLITS


def make(folder: Path) -> None:
    """The good manifest; its clips must be there."""
    (folder / FILE).write_text(GOOD)
