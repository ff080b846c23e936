"""`sermtl predict`: what it is given, what it writes, what it says of bad files."""

import csv
import io
import json
import subprocess
import sys

import pytest
import soundfile

from sermtl.cli import main as cli


@pytest.fixture
def folder(clips, tmp_path):
    """Two recordings, one of them deeper, and what is none."""
    place = tmp_path / "talks"
    (place / "deep er").mkdir(parents=True)
    (place / "b.wav").write_bytes(clips[0].read_bytes())
    (place / "deep er" / "a.WAV").write_bytes(clips[1].read_bytes())
    (place / "notes.txt").write_text("none")
    return place


def stdin(text):
    return io.TextIOWrapper(io.BytesIO(text.encode()))


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_for_each_file(trained, recognizer, clips, tmp_path, capsys):
    output = tmp_path / "out.csv"
    cli(["predict", str(trained), *map(str, clips[:2]), "--output", str(output)])
    rows = table(output.read_text())
    assert [row["id"] for row in rows] == [str(clip) for clip in clips[:2]]
    p = recognizer(clips[0])
    assert rows[0]["emotion"] == p.emotion and rows[0]["transcript"] == p.transcript
    assert float(rows[0]["prob_A"]) == pytest.approx(p.scores["A"], abs=1e-5)
    cli(["predict", str(trained), str(clips[0])])
    assert capsys.readouterr().out.splitlines()[0].startswith("id,emotion,prob_A")


def test_folders_patterns_and_lists(trained, folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", stdin(f"{folder}/b.wav\n\n"))
    cli(["predict", str(trained), str(folder), f"{folder}/**/*.WAV", "-"])
    rows = table(capsys.readouterr().out)
    assert [row["id"] for row in rows] == [f"{folder}/b.wav", f"{folder}/deep er/a.WAV"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-"], "standard input: no path"),
        (["EMPTY"], "no recording in this folder"),
        (["EMPTY/*.mp3"], r"\*.mp3: no file fits this pattern"),
    ],
)
def test_nothing_to_recognise(trained, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.setattr("sys.stdin", stdin("\n"))
    with pytest.raises(SystemExit) as ended:
        cli(["predict", str(trained), *(w.replace("EMPTY", str(tmp_path)) for w in words)])
    assert ended.value.code == 1
    assert message.replace("\\", "") in capsys.readouterr().err


def test_bad_files_are_told_at_the_end_and_good_ones_written(trained, clips, tmp_path, capsys):
    (tmp_path / "text.wav").write_text("none")
    soundfile.write(tmp_path / "short.wav", [0.0] * 100, 16000)
    bad = [str(tmp_path / name) for name in ("text.wav", "gone.wav", "short.wav")]
    output = tmp_path / "out.jsonl"
    with pytest.raises(SystemExit) as ended:
        mixed = [bad[0], str(clips[0]), bad[1], bad[2], str(clips[1])]
        cli(["predict", str(trained), *mixed, "--output", str(output)])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "error: 3 of 5 recordings have no answer" in said
    assert all(name in said for name in bad) and "Traceback" not in said
    ids = [json.loads(line)["id"] for line in output.read_text().splitlines()]
    assert ids == [str(clip) for clip in clips[:2]]


def test_an_ending_that_tells_no_format_is_refused(trained, clips, tmp_path, capsys):
    with pytest.raises(SystemExit):
        cli(["predict", str(trained), str(clips[0]), "--output", str(tmp_path / "answers.json")])
    assert "answers.json: say by --format whether csv, jsonl, table" in capsys.readouterr().err


def test_where_nothing_can_be_read_no_file_is_left(trained, tmp_path):
    output = tmp_path / "out.csv"
    with pytest.raises(SystemExit):
        cli(["predict", str(trained), str(tmp_path / "gone.wav"), "--output", str(output)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["csv", "jsonl", "table"])
def test_windows_of_long_recordings(trained, clips, tmp_path, capsys, kind):
    samples = [x for clip in clips * 3 for x in soundfile.read(clip)[0]]
    soundfile.write(tmp_path / "long.wav", samples, 16000)
    command = ["predict", str(trained), str(tmp_path / "long.wav"), "--window", "1.5"]
    cli([*command, "--timeline", "--format", kind])
    text = capsys.readouterr().out
    if kind == "table":
        assert f"{len(samples) / 16000:.2f}" in text.splitlines()[-1]
        return
    rows = table(text) if kind == "csv" else [json.loads(line) for line in text.splitlines()]
    ends = [float(row["end"]) for row in rows]
    assert len(rows) > 2
    assert [float(row["start"]) for row in rows] == [0.0, *ends[:-1]]
    assert ends[-1] == pytest.approx(len(samples) / 16000, abs=1e-3)


def test_jsonl_holds_everything(trained, recognizer, clips, capsys):
    cli(["predict", str(trained), str(clips[0]), "--format", "jsonl"])
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"id": str(clips[0]), **recognizer(clips[0]).to_dict()}


@pytest.mark.parametrize("window", ["0.5", "nan", "x"])
def test_windows_that_make_no_sense_are_refused(trained, clips, capsys, window):
    with pytest.raises(SystemExit) as ended:
        cli(["predict", str(trained), str(clips[0]), "--window", window])
    assert ended.value.code == 2
    assert "--window" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error(trained, clips):
    command = [sys.executable, "-m", "sermtl.cli", "predict", str(trained), *map(str, clips)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    assert process.wait() == 141
