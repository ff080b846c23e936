"""Answers, as a table on a terminal and for programs."""

import csv
import io
import json

import pytest

from sermtl.cli.answers import Writer
from sermtl.prediction import Prediction
from sermtl.terminal import width


def lines(monkeypatch, names, columns, **options):
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = io.StringIO()
    writer = Writer(stream, "table", names)
    for name in names:
        writer.write(name, Prediction("H", {"H": 0.75, "angry": 0.25}, **options))
    return stream.getvalue().splitlines()


def test_long_names_keep_their_end_and_transcripts_their_beginning(monkeypatch):
    names = ["a.wav", "folder/" * 9 + "b.wav"]
    options = {"gender": "female", "gender_score": 0.9, "transcript": "one two three " * 20}
    found = lines(monkeypatch, names, 100, **options)
    assert found[0].startswith("a.wav ") and found[1].startswith("…")
    assert "folder/b.wav  H" in found[1]
    for line in found:
        assert width(line) <= 100 and line.endswith("…")
        assert " 75%  female  90%  one two" in line


def test_a_narrow_terminal_shows_some_words(monkeypatch):
    (line,) = lines(monkeypatch, ["a.wav"], 20, transcript="one two three four")
    assert line.endswith("one two thr…")


def test_a_name_with_line_ends_stays_one_record():
    stream = io.StringIO(newline="")
    writer = Writer(stream, "csv", [])
    for name in ("a\rb.wav", "c\nd.wav", 'e",.wav'):
        writer.write(name, Prediction("H", {"H": 1.0}))
    stream.seek(0)
    assert [row["id"] for row in csv.DictReader(stream)] == ["a\rb.wav", "c\nd.wav", 'e",.wav']


def test_without_other_tasks(monkeypatch):
    assert lines(monkeypatch, ["a.wav"], 80) == ["a.wav  H       75%"]


@pytest.mark.parametrize("name", ["a\rb.wav", "a\nb.wav", 'a,"b.wav', " a.wav ", "caf\udce9.wav"])
def test_programs_read_every_name(name):
    answer = Prediction("H", {"H": 0.75, "angry": 0.25})
    for kind in ("csv", "jsonl"):
        stream = io.StringIO()
        Writer(stream, kind, [name]).write(name, answer)
        text = stream.getvalue()
        assert text.encode().endswith(b"\n") and not text.endswith("\r\n")
        if kind == "jsonl":
            assert json.loads(text)["id"] == name
        else:
            header, row = csv.reader(io.StringIO(text, newline=""))
            assert dict(zip(header, row, strict=True))["id"] == name.replace("\udce9", "\\udce9")
