import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from transcripts import transcript

from sermtl.errors import UserError
from sermtl.files import exclusive
from sermtl.transcription.dumped_set import DumpedSet
from sermtl.transcription.records import append, open_log, read_transcripts


@pytest.fixture
def dumped(tmp_path: Path) -> DumpedSet:
    """Five clips of 1 to 5 s, named against their lengths."""
    folder = tmp_path / "dump" / "train"
    folder.mkdir(parents=True)
    (folder / "wav.scp").write_text("".join(f"u{i} {folder}/wav.ark:{i}\n" for i in range(5)))
    (folder / "utt2dur").write_text("".join(f"u{i} {5 - i}.0\n" for i in range(5)))
    (folder / "text").write_text("".join(f"u{i} corpus words {i}\n" for i in range(5)))
    (folder / "audio.sha256").write_text("wav.ark digest\n")
    return DumpedSet(folder)


def record(dumped: DumpedSet, worker: int, ids: list[str], **changes: object) -> None:
    dumped.work.mkdir(exist_ok=True)
    with open_log(dumped.shard_file(worker)) as log:
        for id in ids:
            append(log, transcript(id, **{"text": f"Heard {id}.", **changes}))


def snapshot(dumped: DumpedSet) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in dumped.folder.iterdir() if path.is_file()}


def test_batches_are_made_by_length_whatever_is_finished(dumped: DumpedSet) -> None:
    batches = [["u0", "u1"], ["u2", "u3"], ["u4"]]
    assert dumped.batches(2) == batches
    record(dumped, 1, ["u0", "u3", "u1"])
    assert dumped.batches(2) == batches
    assert dumped.unfinished(batches) == [(["u2", "u3"], ["u2"]), (["u4"], ["u4"])]
    assert dumped.count_finished() == 3


def test_long_clips_are_alone(dumped: DumpedSet) -> None:
    """They aren't decoded with others, and an hour of samples is enough in memory."""
    seconds = {"u0": 1.0, "u1": 30.0, "u2": 30.1, "u3": 3600.0, "u4": 2.0}
    (dumped.folder / "utt2dur").write_text("".join(f"{u} {s}\n" for u, s in seconds.items()))
    assert dumped.batches(2) == [["u3"], ["u2"], ["u1", "u4"], ["u0"]]


def test_publish_keeps_the_corpus_text_and_restore_brings_it_back(dumped: DumpedSet) -> None:
    before = snapshot(dumped)
    record(dumped, 2, ["u3", "u1"])
    record(dumped, 1, ["u0", "u4"])
    record(dumped, 3, ["u2"], verdict="silence")
    summary = dumped.publish("plain")
    assert summary.startswith("5 clips; 4 with a text to learn from, 1 without speech, 0 failed")
    assert dumped.text.read_text().splitlines() == [
        f"u{i} " + ("<unk>" if i == 2 else f"heard u{i}") for i in range(5)
    ]
    assert dumped.corpus_text.read_bytes() == before["text"]
    assert dumped.merged.read_text().count("\n") == 5
    after = snapshot(dumped)
    assert dumped.publish("plain") == summary and snapshot(dumped) == after
    assert dumped.restore() and snapshot(dumped) == before
    assert not dumped.restore() and snapshot(dumped) == before
    dumped.publish("plain")
    assert snapshot(dumped) == after


def test_a_new_dump_wins_over_an_old_corpus_text(dumped: DumpedSet) -> None:
    record(dumped, 1, list(dumped.clips))
    dumped.publish("plain")
    dumped.text.write_text("".join(f"u{i} corrected {i}\n" for i in range(5)))
    assert not dumped.is_transcribed()
    dumped.publish("plain")
    assert dumped.corpus_text.read_text().startswith("u0 corrected 0\n")
    assert dumped.text.read_text().startswith("u0 heard u0\n")
    dumped.text.write_text("".join(f"u{i} again {i}\n" for i in range(5)))
    assert not dumped.restore()
    assert dumped.text.read_text().startswith("u0 again 0\n")
    assert not dumped.corpus_text.exists() and not dumped.merged.exists()


@pytest.mark.parametrize("before", ["corpus", "whisper"])
@pytest.mark.parametrize("step", range(7))
def test_a_kill_while_publishing_loses_nothing(
    dumped: DumpedSet, monkeypatch: pytest.MonkeyPatch, step: int, before: str
) -> None:
    """Each file in turn is the one that is never put in place, twice in a row."""
    corpus = dumped.text.read_bytes()
    record(dumped, 1, list(dumped.clips))
    if before == "whisper":
        dumped.publish("plain")
    steps = 6 + (before == "whisper")  # six files are written, after `text` is put back
    for _ in range(2):
        replace, left = os.replace, iter(range(step, -1, -1))

        def dies(source: Path, target: Path, replace: Callable = replace, left: Iterator = left):
            if next(left, None) == 0:
                raise KeyboardInterrupt
            replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", dies)
            if step < steps:
                with pytest.raises(KeyboardInterrupt):
                    dumped.publish("plain")
        steps = 6 + dumped.is_transcribed()
    dumped.publish("plain")
    assert dumped.corpus_text.read_bytes() == corpus
    assert dumped.text.read_text().startswith("u0 heard u0\n")
    assert dumped.restore() and dumped.text.read_bytes() == corpus


def test_texts_that_failed_are_kept_in_the_record_alone(dumped: DumpedSet) -> None:
    record(dumped, 1, ["u0"])
    record(dumped, 1, ["u1"], verdict="repetitive", text="no no no", temperature=1.0)
    record(dumped, 1, ["u2"], verdict="improbable", text="words", temperature=1.0)
    record(dumped, 1, ["u3"], text="...")
    record(dumped, 1, ["u4"], text="Żółw.", language="pl", temperature=0.4)
    summary = dumped.publish("plain")
    assert dumped.text.read_text().splitlines() == [
        "u0 heard u0",
        *(f"u{i} <unk>" for i in (1, 2, 3)),
        "u4 żółw",
    ]
    assert "2 with a text to learn from, 0 without speech, 2 failed the guards, 1 passed" in summary
    merged = {r.id: r for r in read_transcripts(dumped.merged)}
    assert merged["u1"].text == "no no no" and merged["u4"].text == "Żółw."
    assert "| u1 | repetitive |" in dumped.report.read_text()
    assert json.loads(dumped.report_numbers.read_text())["without_words"] == 1


def test_another_normalizer_keeps_the_records(dumped: DumpedSet) -> None:
    def done(normalizer: str) -> bool:
        begun, done = dumped.stages({"model": "a"}, [], normalizer)
        dumped.begin(begun)
        if not done.is_done():
            dumped.publish(normalizer)
            done.finish(dumped.outputs)
            return False
        return True

    dumped.begin(dumped.stages({"model": "a"}, [], "plain")[0])
    record(dumped, 1, list(dumped.clips), text="It's 20%, [sighs] dear")
    assert [done(n) for n in ("plain", "plain", "auto", "auto", "plain")] == [
        *(False, True),
        *(False, True),
        False,
    ]
    assert dumped.text.read_text().startswith("u0 it's 20 sighs dear\n")
    dumped.publish("auto")
    assert dumped.text.read_text().startswith("u0 it is 20 dear\n")
    assert dumped.corpus_text.read_text().startswith("u0 corpus words 0\n")


def test_counting_reads_only_what_is_new(dumped: DumpedSet) -> None:
    def lines(*ids: str) -> bytes:
        return b"".join(transcript(id, text="ż").to_line() for id in ids)

    dumped.work.mkdir()
    assert dumped.count_finished() == 0
    first, second = dumped.shard_file(1), dumped.shard_file(2)
    first.write_bytes(lines("u0", "u1"))
    assert dumped.count_finished() == 2
    half = lines("u2")[:-5]
    first.write_bytes(
        b"#" * (len(lines("u0", "u1")) - 1) + b"\n" + half
    )  # lines read before aren't read again
    second.write_bytes(lines("u3"))
    assert dumped.count_finished() == 3
    with open_log(first) as log:  # cuts the half line off, which another follows
        log.write(lines("u4"))
    assert dumped.count_finished() == 4
    dumped.begin(dumped.stages({}, [], "auto")[0])
    assert dumped.count_finished() == 0


def test_publish_names_what_is_missing(dumped: DumpedSet) -> None:
    record(dumped, 1, ["u0", "u1", "u3", "u4"])
    with pytest.raises(UserError, match="1 clips have no transcript, the first is u2"):
        dumped.publish("plain")
    assert not dumped.merged.exists()


def test_records_of_other_audio_or_options_are_dropped(dumped: DumpedSet) -> None:
    def begin(**options: object) -> int:
        fresh = DumpedSet(dumped.folder)
        fresh.begin(fresh.stages(options, [], "auto")[0])
        return fresh.count_finished()

    begin(model="a")
    record(dumped, 1, ["u0", "u1"])
    assert begin(model="a") == 2
    assert begin(model="b") == 0
    record(dumped, 1, ["u0"])
    assert begin(model="b") == 1
    (dumped.folder / "audio.sha256").write_text("wav.ark other\n")
    assert begin(model="b") == 0


def test_records_that_a_job_is_still_writing_are_not_dropped(dumped: DumpedSet) -> None:
    """The job of a killed run would go on in the new folder, with the old model's texts."""
    for model in ("tiny.en", "base.en"):
        begun, _ = dumped.stages({"model": model}, [], "auto")
        if model == "tiny.en":
            dumped.begin(begun)
            continue
        with (
            exclusive(dumped.work, dumped.lock(3)),
            pytest.raises(UserError, match="another run is at work"),
        ):
            dumped.begin(begun)
        dumped.begin(begun)
        assert begun.is_done()


def test_missing_files_are_named(dumped: DumpedSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"valid/wav.scp is missing: run stage 1"):
        _ = DumpedSet(tmp_path / "dump" / "valid").clips
    dumped.text.unlink()
    record(dumped, 1, list(dumped.clips))
    with pytest.raises(UserError, match=r"train/text is missing"):
        dumped.publish("plain")
