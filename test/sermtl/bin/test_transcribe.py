import json
import subprocess
import sys
from pathlib import Path

import kaldiio
import numpy as np
import pytest
from tiny_whisper import write_checkpoint

from sermtl.bin.transcribe import main
from sermtl.errors import UserError

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
    """Two dumped sets of five and three clips, all different."""
    random = np.random.default_rng(0)
    for name, count in (("train", 5), ("test", 3)):
        folder = tmp_path / "dump" / name
        folder.mkdir(parents=True)
        clips = {
            f"{name}{i}": random.integers(-900 * i - 99, 900 * i + 99, 6000 * (i + 1), np.int16)
            for i in range(count)
        }
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
    """All records of all jobs."""
    shards = sorted((dump / name / "whisper").glob("shard.*.jsonl"))
    return [json.loads(line) for shard in shards for line in lines(shard)]


def test_sets_are_transcribed_once_and_given_back(
    command: list[str], dump: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = {name: (dump / name / "text").read_bytes() for name in ("train", "test")}
    main(command)
    shown = capfd.readouterr()
    assert "train: 5 clips; 1 without speech" in shown.out and "8/8" in shown.err
    for name, count in (("train", 5), ("test", 3)):
        merged = [json.loads(line) for line in lines(dump / name / "whisper.jsonl")]
        assert [record["id"] for record in merged] == [f"{name}{i}" for i in range(count)]
        assert len({record["text"] for record in merged}) > 1
        assert lines(dump / name / "text") == [f"{r['id']} {r['text'] or '<unk>'}" for r in merged]
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


def test_a_killed_job_continues(
    command: list[str], dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One job, killed after a batch of the second set while writing the next record."""
    from sermtl.transcription import whisper

    seen: list[str] = []
    speak = whisper.Transcriber.__call__

    def dies(self: whisper.Transcriber, clips: dict) -> list:
        if "test1" in clips:
            raise KeyboardInterrupt
        seen.extend(clips)
        return speak(self, clips)

    job = [*command, "--nj", "1", "--batch_size", "1", "--shard", "1"]
    monkeypatch.setattr(whisper.Transcriber, "__call__", dies)
    with pytest.raises(KeyboardInterrupt):
        main(job)
    assert seen == ["train4", "train3", "train2", "train1", "train0", "test2"]
    shard = dump / "test" / "whisper" / "shard.1.jsonl"
    with open(shard, "a") as stream:
        stream.write('{"id": "test1", "te')

    def continues(self: whisper.Transcriber, clips: dict) -> list:
        seen.extend(clips)
        return speak(self, clips)

    monkeypatch.setattr(whisper.Transcriber, "__call__", continues)
    main([*job, "--nj", "2"])
    main([*job, "--nj", "2", "--shard", "2"])
    assert sorted(seen[6:]) == ["test0", "test1"]
    assert sorted(record["id"] for record in records(dump, "test")) == ["test0", "test1", "test2"]
    monkeypatch.setattr(whisper, "Transcriber", lambda *_: pytest.fail("the model was loaded"))
    main(job)


@pytest.mark.usefixtures("in_process")
def test_batches_and_jobs_change_nothing(command: list[str], dump: Path) -> None:
    texts = []
    for batch_size, jobs in ((1, 1), (16, 2)):
        main([*command, "--force", "--batch_size", str(batch_size), "--nj", str(jobs)])
        assert sum(1 for _ in (dump / "train" / "whisper").glob("shard.*")) == jobs
        texts.append((dump / "train" / "text").read_bytes())
    assert texts[0] == texts[1]


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


def test_a_failing_job_fails_the_stage(command: list[str], dump: Path) -> None:
    original = (dump / "train" / "text").read_bytes()
    with pytest.raises(UserError, match=r"failed after 0 of 8 clips.*log/transcribe\.\*\.log"):
        main([*command, "--language", "pl"])
    assert (
        "error: --language pl: this Whisper model knows English only"
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
