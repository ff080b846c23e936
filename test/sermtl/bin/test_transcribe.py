import argparse
import json
import shutil
import subprocess
import sys
import time
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

import kaldiio
import numpy as np
import pytest
import torch
from tiny_whisper import write_checkpoint

from sermtl.bin.transcribe import main
from sermtl.errors import UserError
from sermtl.files import exclusive
from sermtl.transcription.guards import Guards
from sermtl.transcription.normalizers import text_normalizer
from sermtl.transcription.records import Transcript

LAUNCHER = """\
import subprocess, sys
array, log, *command = sys.argv[1:]
first, last = map(int, array.removeprefix("JOB=").split(":"))
jobs = []
for job in range(first, last + 1):
    with open(log.replace("JOB", str(job)), "w") as stream:
        line = [word.replace("JOB", str(job)) for word in command]
        jobs.append(subprocess.Popen(line, stdout=stream, stderr=stream))
sys.exit(max(job.wait() != 0 for job in jobs))
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("whisper") / "tiny.en.pt")


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """Two dumped sets of five and three clips, all different, one of them longer than 30 s."""
    random = np.random.default_rng(0)
    for name, count in (("train", 5), ("test", 3)):
        folder = tmp_path / "dump" / name
        folder.mkdir(parents=True)
        clips = {
            f"{name}{i}": random.integers(-900 * i - 99, 900 * i + 99, 6000 * (i + 1), np.int16)
            for i in range(count)
        }
        if name == "test":
            clips["test2"] = random.integers(-3000, 3000, 31 * 16000, np.int16)
        kaldiio.save_ark(
            str(folder / "wav.ark"),
            {clip: (16000, samples) for clip, samples in clips.items()},
            scp=str(folder / "wav.scp"),
        )
        durations = (f"{clip} {len(samples) / 16000}\n" for clip, samples in clips.items())
        (folder / "utt2dur").write_text("".join(durations))
        (folder / "text").write_text("".join(f"{clip} corpus words\n" for clip in clips))
    return tmp_path / "dump"


@pytest.fixture
def command(dump: Path, checkpoint: Path, tmp_path: Path) -> list[str]:
    """The command line, with a launcher that has run.pl's interface."""
    launcher = tmp_path / "launcher.py"
    launcher.write_text(LAUNCHER)
    return [
        *("--dumpdir", str(dump), "--sets", "train test", "--batch_size", "2", "--nj", "2"),
        *("--whisper_model", str(checkpoint), "--cmd", f"{sys.executable} {launcher}"),
        *("--temperatures", "0 0.4 0.8", "--compression_ratio_threshold", "2.0"),
    ]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the jobs here, one after the other: importing torch in each takes seconds."""

    class Launcher:
        returncode = 0

        def __init__(self, command: list[str], **_: object) -> None:
            job = command[command.index("sermtl.bin.transcribe") + 1 :]
            for shard in range(1, int(job[job.index("--nj") + 1]) + 1):
                main([str(shard) if word == "JOB" else word for word in job])

        def poll(self) -> int:
            return self.returncode

        wait = terminate = poll

    monkeypatch.setattr(subprocess, "Popen", Launcher)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def records(dump: Path, name: str) -> list[dict]:
    """All records of all jobs; a last line without its end is none."""
    shards = sorted((dump / name / "whisper").glob("shard.*.jsonl"))
    return [
        json.loads(line)
        for shard in shards
        for line in shard.read_bytes().split(b"\n")[:-1]
        if line
    ]


def test_sets_are_transcribed_once_and_given_back(
    command: list[str], dump: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = {name: (dump / name / "text").read_bytes() for name in ("train", "test")}
    main(command)
    shown = capfd.readouterr()
    assert (
        "train: 5 clips; 2 with a text to learn from, 1 without speech, 2 failed the guards, 0 "
        "passed at a higher temperature; languages: en 5; WER "
    ) in shown.out
    assert "test: 3 clips; 1 with" in shown.out and "1 passed at a higher" in shown.out
    assert "see whisper_report.md\n" in shown.out
    assert "8/8" in shown.err
    for name, count in (("train", 5), ("test", 3)):
        merged = [json.loads(line) for line in lines(dump / name / "whisper.jsonl")]
        assert [record["id"] for record in merged] == [f"{name}{i}" for i in range(count)]
        assert len({record["text"] for record in merged}) > 1
        for record, line in zip(merged, lines(dump / name / "text"), strict=True):
            words = text_normalizer("english")(record["text"], "en")
            used = words and record["verdict"] == "speech"
            assert line == f"{record['id']} {words if used else '<unk>'}"
        assert (dump / name / "text.corpus").read_bytes() == original[name]
        assert len(merged[0]["sha256"]) == 64
        assert merged[1]["duration"] == 0.75

    # Done, put back, and done again from the records: no job runs any more.
    monkeypatch.setattr(subprocess, "Popen", lambda *_: pytest.fail("a job was launched"))
    transcribed = (dump / "train" / "text").read_bytes()
    main(command)
    assert capfd.readouterr().out.count("already transcribed") == 2
    main([*command, "--whisper_model", "none"])
    assert "are kept; put back from text.corpus in train, test" in capfd.readouterr().out
    assert {name: (dump / name / "text").read_bytes() for name in original} == original
    main([*command, "--whisper_model", "none"])
    assert capfd.readouterr().out.endswith("the corpus's transcripts are kept\n")
    main([*command, "--force", "false", "--sets", ""])  # all sets of the dump
    assert (dump / "train" / "text").read_bytes() == transcribed


def test_jobs_repeat_nothing_that_is_finished(
    command: list[str], dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One job, stopped after every single record while it writes the next."""
    from sermtl.transcription import records as module

    job = [*command, "--nj", "1", "--batch_size", "3", "--shard", "1"]
    shutil.copytree(dump, tmp_path / "whole")
    main([*job, "--dumpdir", str(tmp_path / "whole")])
    written: list[str] = []
    append = module.append

    def dies(log: BinaryIO, transcript: Transcript, stop: int) -> None:
        if len(written) == stop:
            log.write(transcript.to_line()[:30])
            log.flush()
            raise KeyboardInterrupt
        append(log, transcript)
        written.append(transcript.id)

    for stop in range(1, 8):
        monkeypatch.setattr(module, "append", partial(dies, stop=stop))
        with pytest.raises(KeyboardInterrupt):
            main(job)
    monkeypatch.setattr(module, "append", partial(dies, stop=99))
    main([*job, "--nj", "2"])
    main([*job, "--nj", "2", "--shard", "2"])
    assert sorted(written) == sorted([*(f"train{i}" for i in range(5)), "test0", "test1", "test2"])
    made = [record for name in ("train", "test") for record in records(dump, name)]
    assert sorted(record["id"] for record in made) == sorted(written)
    assert len({record["temperature"] for record in made}) > 1, "some must fall back"
    whole = [r for name in ("train", "test") for r in records(tmp_path / "whole", name)]
    assert sorted(made, key=itemgetter("id")) == sorted(whole, key=itemgetter("id"))
    monkeypatch.setattr("sermtl.transcription.whisper.Transcriber", lambda *_: pytest.fail("load"))
    main(job)


def test_a_job_killed_outright_comes_to_the_same_records(
    command: list[str], dump: Path, tmp_path: Path
) -> None:
    """SIGKILL as soon as there is a record, then another number of jobs."""
    whole = tmp_path / "whole"
    shutil.copytree(dump, whole)
    job = [*command, "--batch_size", "4", "--nj", "1", "--shard", "1"]
    main([*job, "--dumpdir", str(whole)])
    process = subprocess.Popen([sys.executable, "-m", "sermtl.bin.transcribe", *job])
    shard = dump / "train" / "whisper" / "shard.1.jsonl"
    while not (shard.is_file() and b"\n" in shard.read_bytes()):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.wait()
    finished = shard.read_bytes().rpartition(b"\n")[0]
    assert len(records(dump, "test")) < 3, "killed too late to tell anything"
    for number in ("2", "1"):
        main([*job, "--nj", "2", "--shard", number])
    assert shard.read_bytes().startswith(finished)
    for name in ("train", "test"):
        killed, never = (
            sorted(records(folder, name), key=itemgetter("id")) for folder in (dump, whole)
        )
        assert killed == never


def test_a_job_left_over_from_a_killed_run_is_named(command: list[str], dump: Path) -> None:
    with (
        exclusive(dump / "test" / "whisper", ".shard.2.lock"),
        pytest.raises(UserError, match=r"another run is at work in .*test/whisper"),
    ):
        main([*command, "--shard", "2"])


@pytest.mark.usefixtures("in_process")
def test_batches_change_no_text_and_jobs_no_byte(command: list[str], dump: Path) -> None:
    texts, made = [], []
    for batch_size, jobs in ((1, 1), (2, 1), (2, 2), (2, 3)):
        main([*command, "--force", "--batch_size", str(batch_size), "--nj", str(jobs)])
        shards = [len(lines(path)) for path in (dump / "train" / "whisper").glob("shard.*.jsonl")]
        assert len(shards) == jobs and all(shards)
        texts.append([(dump / name / "text").read_bytes() for name in ("train", "test")])
        made.append([(dump / name / "whisper.jsonl").read_bytes() for name in ("train", "test")])
    assert texts[0] == texts[1] == texts[2] == texts[3]
    assert made[1] == made[2] == made[3]


def test_jobs_share_the_batches_of_all_sets(
    command: list[str], dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three batches and two: small sets are not all dealt from the first job on."""
    dealt: dict[int, list[list[str]]] = {}

    def note(args: argparse.Namespace, shards: list, _: Guards) -> None:
        dealt[args.shard] = [clips for _, work in shards for _, clips in work]

    monkeypatch.setattr("sermtl.bin.transcribe._transcribe_clips", note)
    for shard in range(1, 6):
        main([*command, "--nj", "5", "--shard", str(shard)])
    assert dealt == {
        1: [["train4", "train3"]],
        2: [["train2", "train1"]],
        3: [["train0"]],
        4: [["test2"]],  # which Whisper goes through in two windows
        5: [["test1", "test0"]],
    }


@pytest.mark.usefixtures("in_process")
def test_what_is_done_again(
    command: list[str], dump: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_job = [*command, "--sets", "train", "--nj", "1"]
    main(one_job)
    made = records(dump, "train")
    published = (dump / "train" / "text").read_bytes()
    main([*one_job, "--no_speech_threshold", "0.9", "--logprob_threshold=-0.0001"])
    assert {record["verdict"] for record in made} > {"speech"}
    assert "speech" not in {record["verdict"] for record in records(dump, "train")}
    assert "0 with a text to learn from" in capfd.readouterr().out
    main(one_job)
    assert records(dump, "train") == made

    monkeypatch.setattr(subprocess, "Popen", lambda *_: pytest.fail("a job was launched"))
    main([*one_job, "--text_normalizer", "plain"])
    assert '"text_normalizer": "plain"' in (dump / "train" / "whisper_report.json").read_text()
    (dump / "train" / "whisper_report.md").unlink()
    (dump / "train" / "text").write_text("".join(f"train{i} of stage 1\n" for i in range(5)))
    main(one_job)
    assert (dump / "train" / "whisper_report.md").is_file()
    assert (dump / "train" / "text").read_bytes() == published
    assert lines(dump / "train" / "text.corpus")[0] == "train0 of stage 1"


@pytest.mark.usefixtures("in_process")
def test_another_model_starts_from_the_corpus_text(
    command: list[str], dump: Path, tmp_path: Path
) -> None:
    original = (dump / "test" / "text").read_bytes()
    one_job = [*command, "--sets", "test", "--nj", "1"]
    main(one_job)
    first = (dump / "test" / "text").read_bytes()
    other = write_checkpoint(tmp_path / "other.pt", seed=1)
    main([*one_job, "--whisper_model", str(other)])
    assert (dump / "test" / "text").read_bytes() not in (first, original)
    assert (dump / "test" / "text.corpus").read_bytes() == original


@pytest.mark.usefixtures("in_process")
def test_more_options_as_one_text(command: list[str], dump: Path) -> None:
    """As run.sh hands them on; they come after the others."""
    more = "--text_normalizer plain --temperatures '0 0.5' --logprob_threshold=-inf"
    main([*command, "--sets", "train", "--text_normalizer", "english", "--whisper_args", more])
    report = json.loads((dump / "train" / "whisper_report.json").read_text())
    assert report["text_normalizer"] == "plain"
    begun = json.loads((dump / "train" / "whisper" / "begun.json").read_text())
    assert begun["options"]["temperatures"] == [0.0, 0.5]


def test_one_job_for_each_gpu_of_this_machine(
    command: list[str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda job, **_: started.append(job) or 1 / 0)
    slurm = str(root / "utils" / "slurm.pl")
    for cmd in (str(root / "utils" / "run.pl"), f"{slurm} --config my.conf"):
        with pytest.raises(ZeroDivisionError):
            main([*command, "--nj", "4", "--ngpu", "2", "--cmd", cmd])
    assert [job[job.index("--nj") + 1] for job in started] == ["2", "4"]


def test_each_job_has_a_gpu_of_its_own(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(
        "sermtl.transcription.whisper.Transcriber",
        lambda *options: where.append(options[2]) or 1 / 0,
    )
    for job in ("1", "2", "3"):
        with pytest.raises(ZeroDivisionError):
            main([*command, "--nj", "3", "--ngpu", "3", "--shard", job])
    assert where == ["cuda:0", "cuda:1", "cuda:2"]


@pytest.mark.usefixtures("in_process")
def test_only_what_is_used(command: list[str], dump: Path) -> None:
    """Two sets of three, one of them by its copy at another speed; without a model all."""
    for name in ("train_other", "train_sp0.9"):
        shutil.copytree(dump / "train", dump / name)
    used = ["--train_set", "train", "--test_sets", "later", "--datadir", str(dump.parent / "data")]
    main([*command, "--sets", "", *used, "--nj", "1"])
    transcribed = sorted(path.parent.name for path in dump.glob("*/whisper.jsonl"))
    assert transcribed == ["train", "train_sp0.9"]
    with pytest.raises(UserError, match=r"none of the sets dev, only test, train, .*--train_set"):
        main([*command, "--sets", "", "--train_set", "dev", "--datadir", str(dump.parent)])
    main([*command, "--sets", "", *used, "--whisper_model", "none"])
    assert not list(dump.glob("*/whisper.jsonl"))


def test_a_failing_job_fails_the_stage(command: list[str], dump: Path) -> None:
    original = (dump / "train" / "text").read_bytes()
    with pytest.raises(UserError, match=r"failed after 0 of 8 clips.*log/transcribe\.\*\.log"):
        main([*command, "--whisper_language", "pl"])
    assert (
        "error: --whisper_language pl: this Whisper model knows English only"
        in (dump / "log" / "transcribe.1.log").read_text()
    )
    assert (dump / "train" / "text").read_bytes() == original


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--whisper_model", "nowhere/tiny.pt"], r"nowhere/tiny\.pt: no such file"),
        (["--cmd", "nowhere/run.pl"], r"--cmd 'nowhere/run\.pl': there is no such program"),
        (["--dumpdir", "nowhere", "--sets", ""], r"nowhere holds no dumped set: run stage 1"),
        (["--sets", "train dev"], r"dev/wav\.scp is missing: run stage 1"),
        (["--shard", "3"], r"--shard 3: there are only 2"),
        (["--temperatures", "0.2 0.4"], r"--temperatures '0\.2 0\.4': a rising list"),
        (["--temperatures", "cold"], r"--temperatures 'cold': numbers separated by spaces"),
        (["--compression_ratio_threshold", "-1"], r"--compression_ratio_threshold -1: a number"),
        (["--logprob_threshold", "1"], r"--logprob_threshold 1: 0 or less"),
        (["--no_speech_threshold", "2"], r"--no_speech_threshold 2: a probability"),
        (["--whisper_args", "--temperatures '0"], r"--whisper_args .*: No closing quotation"),
        (["--whisper_args", "--beam_size 5"], r"--whisper_args: unrecognized .*--beam_size 5"),
        (["--whisper_args", "--shard 1"], r"--whisper_args: unrecognized arguments: --shard 1"),
        (["--whisper_args", "--logprob_threshold -inf"], r"--whisper_args: .*threshold=-1"),
        (["--whisper_args", "--temperatures '1 0'"], r"--temperatures '1 0': a rising list"),
    ],
)
def test_wrong_input_is_named(command: list[str], options: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        main([*command, *options])


def test_the_stage_itself_imports_neither_torch_nor_whisper() -> None:
    code = (
        "import sys, sermtl.bin.transcribe as stage; stage.build_parser();"
        "assert not {'torch', 'whisper', 'espnet2', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
