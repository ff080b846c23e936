from pathlib import Path

import pytest
from transcripts import transcript

from sermtl.errors import UserError
from sermtl.transcription.dumped_set import DumpedSet
from sermtl.transcription.records import append, open_log


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
        append(log, [transcript(id, text=f"heard {id}", **changes) for id in ids])


def snapshot(dumped: DumpedSet) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in dumped.folder.iterdir() if path.is_file()}


def test_shards_are_dealt_by_length_and_skip_what_any_run_finished(dumped: DumpedSet) -> None:
    assert dumped.shard(1, 2) == ["u0", "u2", "u4"]
    assert dumped.shard(2, 2) == ["u1", "u3"]
    record(dumped, 1, ["u0", "u2"])
    assert dumped.shard(1, 2) == ["u4"]
    assert [dumped.shard(i, 3) for i in (1, 2, 3)] == [["u3"], ["u1", "u4"], []]
    assert dumped.count_finished() == 2


def test_publish_keeps_the_corpus_text_and_restore_brings_it_back(dumped: DumpedSet) -> None:
    before = snapshot(dumped)
    record(dumped, 2, ["u3", "u1"])
    record(dumped, 1, ["u0", "u4"])
    record(dumped, 3, ["u2"], no_speech_prob=0.9, avg_logprob=-2.0)
    summary = dumped.publish()
    assert "5 clips; 1 without speech" in summary
    assert dumped.text.read_text().splitlines() == [
        f"u{i} " + ("<unk>" if i == 2 else f"heard u{i}") for i in range(5)
    ]
    assert dumped.corpus_text.read_bytes() == before["text"]
    assert dumped.merged.read_text().count("\n") == 5
    after = snapshot(dumped)
    assert dumped.publish() == summary and snapshot(dumped) == after
    assert dumped.restore() and snapshot(dumped) == before
    assert not dumped.restore() and snapshot(dumped) == before
    dumped.publish()
    assert snapshot(dumped) == after


def test_a_new_dump_wins_over_an_old_corpus_text(dumped: DumpedSet) -> None:
    record(dumped, 1, list(dumped.clips))
    dumped.publish()
    dumped.text.write_text("".join(f"u{i} corrected {i}\n" for i in range(5)))
    assert not dumped.is_transcribed()
    dumped.publish()
    assert dumped.corpus_text.read_text().startswith("u0 corrected 0\n")
    assert dumped.text.read_text().startswith("u0 heard u0\n")
    dumped.text.write_text("".join(f"u{i} again {i}\n" for i in range(5)))
    assert not dumped.restore()
    assert dumped.text.read_text().startswith("u0 again 0\n")
    assert not dumped.corpus_text.exists() and not dumped.merged.exists()


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_kill_while_publishing_loses_nothing(
    dumped: DumpedSet, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Each of the three files in turn is the one that is never written, twice in a row."""
    import sermtl.transcription.dumped_set as module

    corpus = dumped.text.read_bytes()
    record(dumped, 1, list(dumped.clips))
    write = module.atomic_write
    for _ in range(2):
        written = []

        def dies(path: Path, mode: str, written: list = written):
            if len(written) == step:
                raise KeyboardInterrupt
            written.append(path)
            return write(path, mode)

        monkeypatch.setattr(module, "atomic_write", dies)
        with pytest.raises(KeyboardInterrupt):
            dumped.publish()
    monkeypatch.setattr(module, "atomic_write", write)
    assert dumped.text.read_bytes() == corpus
    dumped.publish()
    assert dumped.corpus_text.read_bytes() == corpus
    assert dumped.restore() and dumped.text.read_bytes() == corpus


def test_publish_names_what_is_missing(dumped: DumpedSet) -> None:
    record(dumped, 1, ["u0", "u1", "u3", "u4"])
    with pytest.raises(UserError, match="1 clips have no transcript, the first is u2"):
        dumped.publish()
    assert not dumped.merged.exists()


def test_records_of_other_audio_or_options_are_dropped(dumped: DumpedSet) -> None:
    def begin(**options: object) -> int:
        fresh = DumpedSet(dumped.folder)
        fresh.begin(fresh.stages(options, [])[0])
        return fresh.count_finished()

    begin(model="a")
    record(dumped, 1, ["u0", "u1"])
    assert begin(model="a") == 2
    assert begin(model="b") == 0
    record(dumped, 1, ["u0"])
    assert begin(model="b") == 1
    (dumped.folder / "audio.sha256").write_text("wav.ark other\n")
    assert begin(model="b") == 0


def test_missing_files_are_named(dumped: DumpedSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"valid/wav.scp is missing: run stage 1"):
        _ = DumpedSet(tmp_path / "dump" / "valid").clips
    dumped.text.unlink()
    record(dumped, 1, list(dumped.clips))
    with pytest.raises(UserError, match=r"train/text is missing"):
        dumped.publish()
