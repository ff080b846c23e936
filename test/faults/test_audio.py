"""Broken audio gives the right answer or a reason that names the file, and harms no other file."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kaldiio
import numpy as np
import pytest
from bad_audio import cases
from bad_names import names, no_files
from sound_case import Case

from sermtl.cli import main as cli
from sermtl.cli.recordings import recordings
from sermtl.data.dump import dump_audio
from sermtl.data.utterance import Utterance
from sermtl.terminal import printable

pytest.importorskip("imageio_ffmpeg")

UNSEEN = (  # in a folder, as their names aren't those of recordings
    *(" ending", ".txt", ".m3u8", ".raw", ".vox", ".gsm", ".snd", ".g722", ".ul", ".sw"),
    *(".matroska", ".wav ", ".wav:12", "|"),
)
LIMIT = 300  # seconds; what takes longer hangs


def pytest_generate_tests(metafunc) -> None:
    if "case" in metafunc.fixturenames:
        found = all_cases(metafunc.config)
        metafunc.parametrize("case", found, ids=[ascii(case.name)[1:-1][:60] for case in found])


def all_cases(config) -> list[Case]:
    return [*cases(config.getoption("--long")), *names(), *no_files()]


@dataclass(frozen=True)
class Outcome:
    """What a run made of a batch."""

    answers: dict[str, object]  # by the file's name
    reasons: str  # a line each
    said: str  # printed at the end


@pytest.fixture(scope="module")
def batch(tmp_path_factory, request) -> Path:
    """A folder with the files of all cases."""
    folder = tmp_path_factory.mktemp("a batch")
    for case in all_cases(request.config):
        case.write(folder)
    return folder


def prepare(folder: Path, names: list[str], work: Path) -> Outcome:
    """Stage 1, as run.sh calls it."""
    manifest = folder / f"{work.name}.csv"
    with open(manifest, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("path", "split"), *((name, "test") for name in names)])
    work.mkdir()
    command = [sys.executable, "-m", "sermtl.bin.prepare", "--recipe", "custom"]
    command += ["--datadir", "data", "--dumpdir", "dump", "--nj", "2", "--force", "false"]
    command += ["--max_unreadable", "1", "--train_set", "train", "--speed_perturb_factors", ""]
    done = subprocess.run(
        [*command, "--corpus_args", f"manifest={manifest}"],
        cwd=work,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stderr
    clips = kaldiio.load_scp(str(work / "dump/test/wav.scp"))
    answers = {}
    for line in (work / "data/test/wav.scp").read_text().split("\n")[:-1]:
        utt_id, path = line.split(" ", 1)
        rate, samples = clips[utt_id]
        assert rate == 16000 and samples.dtype == np.int16
        answers[Path(path).name] = samples / 2**15
    return Outcome(answers, (work / "dump/test/unreadable.txt").read_text(), done.stdout)


@pytest.fixture(scope="module")
def prepared(batch, tmp_path_factory, request) -> Outcome:
    """Stage 1 of everything; a table in UTF-8 can't name what isn't."""
    found = [case.name for case in all_cases(request.config) if case.refused != "UTF-8"]
    return prepare(batch, found, tmp_path_factory.mktemp("stage 1") / "all")


@pytest.fixture(scope="module")
def prepared_alone(batch, tmp_path_factory, request) -> Outcome:
    """Stage 1 of the good files."""
    found = [c.name for c in all_cases(request.config) if not (c.reason or c.refused)]
    return prepare(batch, found, tmp_path_factory.mktemp("stage 1") / "alone")


def predict(*words: object) -> str:
    """What ``sermtl predict`` says of failures, which are expected."""
    with (
        within(LIMIT),
        contextlib.redirect_stderr(io.StringIO()) as said,
        pytest.raises(SystemExit) as ended,
    ):
        cli(["predict", *map(str, words)])
    assert ended.value.code == 1
    return said.getvalue()


@contextlib.contextmanager
def within(seconds: int) -> Iterator[None]:
    """Interrupt what hangs."""

    def interrupt(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def predicted(batch, trained, tmp_path_factory, request) -> Outcome:
    """``sermtl predict FILE...``"""
    output = tmp_path_factory.mktemp("predict") / "answers.jsonl"
    files = [batch / case.name for case in all_cases(request.config)]
    said = predict(trained, *files, *files[:20], "--output", output)
    with open(output, encoding="utf-8", newline="\n") as stream:
        answers = [json.loads(line) for line in stream]
    return Outcome({Path(a["id"]).name: a for a in answers}, said, said)


@pytest.fixture(scope="module")
def walked(batch, trained, tmp_path_factory) -> Outcome:
    """``sermtl predict FOLDER``"""
    output = tmp_path_factory.mktemp("predict") / "answers.csv"
    said = predict(trained, batch, "--output", output)
    with open(output, encoding="utf-8", newline="") as stream:
        answers = {original(Path(row["id"]).name): row for row in csv.DictReader(stream)}
    return Outcome(answers, said, said)


def original(name: str) -> str:
    """A name that wasn't UTF-8, from the answers' escapes."""
    return re.sub(r"\\u(dc[89a-f]\w)", lambda found: chr(int(found[1], 16)), name)


def reasons(outcome: Outcome, name: str) -> list[str]:
    """What was said of a file."""
    return [line for line in outcome.reasons.splitlines() if f"/{printable(name)}: " in line]


def test_stage_1(prepared, prepared_alone, batch, tmp_path, case) -> None:
    if case.refused == "UTF-8":  # a corpus's folder may hold what no manifest can name
        utterance = Utterance("u", str(batch / case.name), "test")
        (said,) = dump_audio([utterance], tmp_path, 1, 1.0).unreadable.values()
        assert f"{printable(case.name)}: the name has bytes that aren't UTF-8" in said
        return
    if reason := case.reason or case.refused:
        assert case.name not in prepared.answers
        (said,) = reasons(prepared, case.name)
        assert re.search(reason, said)
        return
    samples = prepared.answers[case.name]
    case.check(samples)
    np.testing.assert_array_equal(samples, prepared_alone.answers[case.name])
    assert not reasons(prepared, case.name)


def test_predict(predicted, prepared, recognizer, batch, case) -> None:
    if case.reason:
        assert case.name not in predicted.answers
        (said,) = reasons(predicted, case.name)
        assert re.search(case.reason, said)
        return
    answer = predicted.answers[case.name]
    assert os.path.samefile(answer["id"], batch / case.name)
    assert not reasons(predicted, case.name)
    alone = recognizer(batch / case.name)
    assert answer["scores"] == pytest.approx(alone.scores, abs=1e-5)
    assert answer["emotion"] == alone.emotion
    heard = case.truth if case.refused else prepared.answers[case.name]
    assert answer["scores"] == pytest.approx(recognizer((heard, 16000)).scores, abs=0.01)


def test_predict_of_a_folder(walked, predicted, batch, case) -> None:
    if (batch / case.name).is_dir() or case.name.endswith(UNSEEN):
        assert case.name not in walked.answers and not reasons(walked, case.name)
        return
    if case.reason:
        assert case.name not in walked.answers
        assert reasons(walked, case.name) == reasons(predicted, case.name)
        return
    row, answer = walked.answers[case.name], predicted.answers[case.name]
    assert row["emotion"] == answer["emotion"]
    for label, score in answer["scores"].items():
        assert float(row[f"prob_{label}"]) == pytest.approx(score, abs=1e-5)


def test_what_is_printed(prepared, prepared_alone, predicted, batch, request) -> None:
    found = all_cases(request.config)
    failed = sum(bool(case.reason) for case in found)
    assert f"{failed} of {len(found)} recordings have no answer" in predicted.said
    assert len(predicted.answers) == len(found) - failed
    named = [case for case in found if case.refused != "UTF-8"]
    unreadable = sum(bool(case.reason or case.refused) for case in named)
    assert f"test: {len(named) - unreadable} utterances" in prepared.said
    assert f"{unreadable} unreadable, left out" in prepared.said
    silent = sum(case.truth is not None and not np.ptp(case.truth) for case in found)
    assert f"; {silent} without any sound, e.g. " in prepared_alone.said
    assert "unreadable" not in prepared_alone.said


def test_no_name_is_a_command(prepared, predicted, walked, batch) -> None:
    ran = [*batch.rglob("pwned*"), *batch.parent.rglob("pwned*"), *Path.cwd().glob("pwned*")]
    assert not ran


@pytest.fixture
def good(batch) -> Path:
    return batch / "PCM_16.wav"


@pytest.mark.parametrize(
    ("content", "answers", "reason"),
    [
        (b"", 1, "standard input: no path"),
        (b" \n\n", 1, "standard input: no path"),
        (b"RIFF\x24\0\0\0WAVEfmt ", 1, "standard input: no list of paths"),
        (bytes(1 << 20), 1, "standard input: no list of paths"),
        (b"\xff\xfe gone\n", 1, r"\udcff\udcfe gone: there is no such file"),
        (b"BATCH/caf\xe9.wav\nBATCH/gone.wav", 2, "gone.wav: there is no such file"),
        (
            b"BATCH/-dash.wav\r\nBATCH/PCM_16.wav\nBATCH/-dash.wav\n-x.wav\n",
            2,
            "-x.wav: there is no",
        ),
        (b"-\n", 1, "-: there is no such file"),
    ],
)
def test_lists_on_standard_input(
    trained, batch, good, tmp_path, monkeypatch, content, answers, reason
) -> None:
    listed = io.BytesIO(content.replace(b"BATCH", os.fsencode(batch)))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(listed))
    said = predict(trained, good, "-", "--output", tmp_path / "out.jsonl")
    assert reason in said and "Traceback" not in said
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == answers


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("", "there is no such file"),
        ("gone.wav", "gone.wav: there is no such file"),
        ("PCM_16.wav/deeper.wav", "deeper.wav: there is no such file"),
        ("http://example.org/a.wav", "a.wav: there is no such file"),
        ("nul\0.wav", r"nul\x00.wav: there is no such file"),
        ("y" * 256 + ".wav", ".wav: can't be read (File name too long)"),
        ("y/" * 5000 + ".wav", ".wav: can't be read (File name too long)"),
        ("*.gone", "*.gone: no file fits this pattern"),
        ("folder.wav", "folder.wav: no recording in this folder"),
        ("/dev/zero", "/dev/zero: a device, not a file"),
        ("/dev/stdin", "/dev/stdin: "),
        ("/proc/self/mem", "/proc/self/mem: "),
    ],
)
def test_words_that_are_no_recording(trained, batch, good, tmp_path, word, reason) -> None:
    path = word if not word or word.startswith(("/", "http")) else f"{batch}/{word}"
    said = predict(trained, path, good, "--output", tmp_path / "out.jsonl")
    assert "1 of 2 recordings have no answer" in said and reason in said
    assert json.loads((tmp_path / "out.jsonl").read_text())["id"] == str(good)


@pytest.mark.parametrize(
    "words", [["./-dash.wav"], ["--", "-dash.wav"], ["./-.wav"], ["./*ash.wav"]]
)
def test_names_that_begin_with_a_dash(trained, batch, monkeypatch, capsys, words) -> None:
    monkeypatch.chdir(batch)
    cli(["predict", str(trained), "--format", "jsonl", *words])
    assert os.path.exists(json.loads(capsys.readouterr().out)["id"])


def test_the_same_file_twice_is_one_recording(trained, good, capsys) -> None:
    cli(["predict", str(trained), "--format", "jsonl", *[str(good)] * 3])
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_answers_replace_no_recording(trained, good, tmp_path) -> None:
    content = good.read_bytes()
    (tmp_path / "link.wav").symlink_to(good)
    for output in (good, tmp_path / "link.wav"):
        said = predict(trained, good, "--output", output, "--format", "csv")
        assert "is one of the recordings" in said and good.read_bytes() == content


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "table"])
def test_every_name_can_be_printed(trained, batch, monkeypatch, encoding, kind) -> None:
    """On a terminal that has fewer characters, too."""
    files = [str(batch / case.name) for case in names()]
    printed = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    monkeypatch.setattr("sys.stdout", printed)
    cli(["predict", str(trained), "--format", kind, *files])
    printed.seek(0)
    lines = list(csv.reader(printed)) if kind == "csv" else printed.read().split("\n")[:-1]
    assert len(lines) == len(files) + (kind == "csv")


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Root may read everything."""
    before = os.geteuid()
    os.seteuid(65534 if before == 0 else before)
    try:
        yield
    finally:
        os.seteuid(before)


def test_what_may_not_be_read_is_told(recognizer, good) -> None:
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to others
        folder = Path(place)
        folder.chmod(0o755)
        (folder / "locked").mkdir()
        for name in ("mine.wav", "yours.wav", "locked/in it.wav"):
            (folder / name).write_bytes(good.read_bytes())
        (folder / "mine.wav").chmod(0)
        (folder / "locked").chmod(0)
        with nobody():
            *paths, refused = recordings([place], io.BytesIO())
            mine, yours, inside = recognizer.stream(
                [*paths, f"{place}/locked/in it.wav"], errors="return"
            )
        (folder / "locked").chmod(0o700)
    for error, name in ((mine, "mine.wav"), (refused, "locked"), (inside, "locked/in it.wav")):
        assert str(error) == f"{place}/{name}: can't be read (Permission denied)"
    assert yours.scores == pytest.approx(recognizer(good).scores)
