"""Faults of label inventories, label maps and MSP-Podcast's tables."""

from __future__ import annotations

import json
from pathlib import Path

import bad_manifests
from bad_tables import Bad, both, harmless, noted, remove, rewrite, write

YAML = "classes: {joy: happiness, sad: sadness}\n"
LABELS = "labels.yaml"


def _labels(name: str, content: str | bytes, told: str) -> Bad:
    return Bad(f"labels: {name}", write(LABELS, content), told)


def _map(name: str, content: str | bytes, told: str, suffix: str = "yaml") -> Bad:
    return Bad(f"map: {name}", write(f"map.{suffix}", content), told)


INVENTORIES = [
    _labels("empty", "", r"labels\.yaml must hold a mapping `classes:`"),
    _labels("a list", "- joy\n- sad\n", r"labels\.yaml must hold a mapping `classes:`"),
    _labels("no classes", "corpus: {a: b}\n", r"labels\.yaml must hold a mapping `classes:`"),
    _labels("no class in it", "classes: {}\n", r"labels\.yaml: `classes:` must list two"),
    _labels("one class", "classes: {joy: joy}\n", r"labels\.yaml: `classes:` must list two"),
    _labels("a tab", "classes:\n\tjoy: joy\n", r"labels\.yaml:2: no YAML .*'\\t'"),
    _labels("not closed", "classes: {joy: joy\n", r"labels\.yaml:2: no YAML"),
    _labels(
        "a key twice", "classes:\n  a: b\n  c: d\n  a: e\n", r"labels\.yaml:4: .*'a' is there tw"
    ),
    _labels("a part twice", YAML + "classes: {}\n", r"labels\.yaml:2: .*'classes' is there twice"),
    _labels("a name twice", "classes: {joy: x, sad: x}\n", r"two classes are named 'x'"),
    _labels("no name", "classes: {joy: , sad: sadness}\n", r"named ''"),
    _labels("<unk> a class", "classes: {<unk>: x, joy: y}\n", r"called '<unk>'"),
    _labels("mapped to nothing known", YAML + "corpus: {x: y}\n", r"'x' is mapped to 'y'.*none of"),
    _labels("elsewhere unknown", YAML + "elsewhere: {x: y}\n", r"`elsewhere:` has 'x'"),
    _labels("Latin-1", "classes: {joy: fröhlich}".encode("latin-1"), r"labels\.yaml:1: not UTF-8"),
    _labels("NUL", b"classes:\n  joy: \0\n", r"labels\.yaml:2: no YAML"),
    _labels("a zip file", b"PK\x03\x04\x14\x00\x08", r"labels\.yaml:1: no YAML"),
    Bad(
        "labels: missing",
        both(remove(LABELS), lambda folder: (folder / LABELS).mkdir()),
        r"read .*l",
    ),
    harmless("labels: BOM", write(LABELS, "\ufeff" + YAML)),
    harmless("labels: CRLF", write(LABELS, YAML.replace("\n", "\r\n"))),
    harmless("labels: in lines", write(LABELS, "classes:\n  joy: happiness\n  sad: sadness\n")),
    noted(
        "labels: one too many",
        write(LABELS, "classes: {joy: happiness, sad: sadness, awe: awe}\n"),
        r"emotion: no utterance of 'awe' to learn from",
    ),
    noted(
        "labels: one missing",
        both(
            write(LABELS, "classes: {joy: happiness, sad: sadness}\n"),
            rewrite(
                bad_manifests.FILE, lambda text: text.replace("dan-1.wav,joy", "dan-1.wav,awe")
            ),
        ),
        r"'awe' is mapped to no class: 1 utterances are kept as <unk>",
    ),
]
MAPS = [
    _map("empty", "", r"map\.yaml must be a mapping"),
    _map("a list", "- joy\n", r"map\.yaml must be a mapping"),
    _map("a mapping in it", "joy: {a: b}\n", r"map\.yaml must be a mapping"),
    _map("a tab", "joy:\n\tx\n", r"map\.yaml:2: no YAML"),
    _map("a key twice", "joy: joy\nsad: sad\njoy: sad\n", r"map\.yaml:3: .*'joy' is there twice"),
    _map("three columns", "joy,joy,1\n", r"map\.csv:1: two columns", "csv"),
    _map("one column", "joy,joy\nsad\n", r"map\.csv:2: two columns", "csv"),
    _map(
        "two answers", "joy,joy\njoy,sad\n", r"map\.csv:2: 'joy' is mapped to 'joy' already", "csv"
    ),
    _map("no text", b"joy,\xff\n", r"map\.csv:1: not UTF-8", "csv"),
    _map("empty table", "", r"no utterance of train has an emotion", "csv"),
    _map("other capitals", "Joy: joy\nSad: sad\n", r"no utterance of train has an emotion"),
    harmless("map: all", write("map.yaml", "joy: joy\nsad: sad\nother: joy\n")),
    harmless("map: semicolons", write("map.csv", "\ufeffjoy;joy\r\nsad;sad\r\n")),
    noted(
        "map: to no class",
        both(
            write("map.yaml", "joy: joy\nsad: sad\nfear: afraid\n"),
            rewrite(
                bad_manifests.FILE, lambda text: text.replace("dan-1.wav,joy", "dan-1.wav,fear")
            ),
        ),
        r"'fear' is mapped to no class: 1 utterances",
    ),
    noted(
        "map: YAML's no",
        both(
            write("map.yaml", "no: joy\njoy: joy\nsad: sad\n"),
            rewrite(bad_manifests.FILE, lambda text: text.replace("dan-1.wav,joy", "dan-1.wav,no")),
        ),
        r"test: 4 utterances, .*emotion 4",
    ),
]

CSV = "Labels/labels_consensus.csv"
JSON = "Labels/labels_consensus.json"
PARTITIONS = "Partitions.txt"
HEADER = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
ROWS = [
    "MSP-PODCAST_0001.wav,N,2.2,4.0,2.6,30,Male,Train",
    "MSP-PODCAST_0002.wav,H,2.2,4.0,2.6,31,Female,Train",
    "MSP-PODCAST_0003.wav,A,2.2,4.0,2.6,32,Female,Development",
    "MSP-PODCAST_0004.wav,S,2.2,4.0,2.6,Unknown,Unknown,Test1",
]
GOOD = HEADER + "".join(f"{row}\n" for row in ROWS)
SETS = dict(
    zip(("0001", "0002", "0003", "0004"), ("Train", "Train", "Development", "Test1"), strict=True)
)


def make_msp(folder: Path) -> None:
    """The tables of four clips."""
    (folder / "Audios").mkdir()
    write(CSV, GOOD)(folder)
    lines = [f"{name}; MSP-PODCAST_{number}.wav\n" for number, name in SETS.items()]
    write(PARTITIONS, "".join(lines))(folder)


def _csv(old: str, new: str):
    return rewrite(CSV, lambda text: text.replace(old, new))


def _reordered(text: str) -> str:
    rows = [line.split(",") for line in text.splitlines()]
    return "".join(",".join(reversed(row)) + "\n" for row in rows)


def _as_json(text: str) -> str:
    names = HEADER.strip().split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in text.splitlines()[1:]]
    return json.dumps({row.pop("FileName"): row for row in rows}, indent=1)


def _json(change):
    """The table as JSON, with a change to its text."""

    def damage(folder: Path) -> None:
        text = (folder / CSV).read_text()
        (folder / CSV).unlink()
        (folder / JSON).write_text(change(_as_json(text)))

    return damage


MSP = [
    harmless("BOM", rewrite(CSV, lambda text: "\ufeff" + text)),
    harmless("CRLF", rewrite(CSV, lambda text: text.replace("\n", "\r\n"))),
    harmless("another order of columns", rewrite(CSV, _reordered)),
    harmless("JSON", _json(str)),
    harmless("semicolons", rewrite(CSV, lambda text: text.replace(",", ";"))),
    Bad(
        "a column is missing",
        _csv("EmoClass", "Emotion"),
        r"consensus\.csv:1: .*no column `EmoClass`",
    ),
    Bad("a field is missing", _csv("0002.wav,H,", "0002.wav,"), r"consensus\.csv:3: 7 fields"),
    Bad("cut off", rewrite(CSV, lambda text: text[:-20]), r"consensus\.csv:5: 6 fields"),
    Bad("a file twice", _csv("0002", "0001"), r"consensus\.csv:3: .*0001\.wav is at 2, too"),
    Bad(
        "no file name",
        _csv("MSP-PODCAST_0002.wav,", ","),
        r"consensus\.csv:3: the file name is empty",
    ),
    Bad("an unknown set", _csv("Development", "Dev"), r"consensus\.csv:4: 'Dev' is no set"),
    Bad("a third gender", _csv("32,Female", "32,Femal"), r"consensus\.csv:4: gender must be"),
    Bad(
        "two answers",
        _csv("Male,Train", "Male,Test1"),
        r"Partitions\.txt:1: .*0001\.wav is in train",
    ),
    Bad("JSON cut off", _json(lambda text: text[:-20]), r"consensus\.json:\d+: no JSON"),
    Bad("JSON a list", _json(lambda _: "[]"), r"consensus\.json must be a mapping"),
    Bad(
        "JSON a file twice",
        _json(lambda text: text.replace("0002", "0001")),
        r"0001\.wav' is there tw",
    ),
    Bad(
        "JSON a value missing",
        _json(lambda text: text.replace('"Gender": "Male",', "")),
        r"no Gender",
    ),
    Bad(
        "no semicolon",
        rewrite(PARTITIONS, lambda text: text.replace(";", "")),
        r"Partitions\.txt:1: ",
    ),
    noted(
        "an unknown letter", _csv("0002.wav,H", "0002.wav,Q"), r"emotion Q has no class.*: 1 clips"
    ),
    noted(
        "in small letters", _csv("0002.wav,H", "0002.wav,h"), r"emotion h has no class.*: 1 clips"
    ),
    noted("no agreement", _csv("0002.wav,H", "0002.wav,X"), r"emotion X has no class.*: 1 clips"),
    noted("without the partition", remove(PARTITIONS), r"no Partitions\.txt"),
    noted(
        "a row less",
        rewrite(CSV, lambda text: text.replace(f"{ROWS[1]}\n", "")),
        r"train: 1 files of",
    ),
]
