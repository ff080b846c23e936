import json
from pathlib import Path

import pytest
from transcripts import transcript

from sermtl.errors import UserError
from sermtl.transcription.records import append, open_log, read_transcripts


def test_records_survive_the_file(tmp_path: Path) -> None:
    records = [transcript("a", text="żółć \u2028 …"), transcript("b", avg_logprob=None, text="")]
    with open_log(tmp_path / "log") as log:
        for record in records:
            append(log, record)
    assert list(read_transcripts(tmp_path / "log")) == records


@pytest.mark.parametrize("keep", [1, 20, -1])
def test_a_line_left_half_written_is_ignored_and_repaired(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "log"
    half = transcript("b", text="żółć").to_line()[:keep]
    path.write_bytes(transcript("a").to_line() + half)
    assert [record.id for record in read_transcripts(path)] == ["a"]
    with open_log(path) as log:
        append(log, transcript("c"))
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["a", "c"]


def test_a_line_cut_inside_a_character(tmp_path: Path) -> None:
    line = transcript("b", text="ż").to_line()
    (tmp_path / "log").write_bytes(line[: line.index("ż".encode()) + 1])
    assert list(read_transcripts(tmp_path / "log")) == []
    with open_log(tmp_path / "log"):
        pass
    assert (tmp_path / "log").read_bytes() == b""


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "b"}', "\xff"])
def test_a_foreign_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(transcript("a").to_line() + line.encode("latin-1") + b"\n")
    with pytest.raises(UserError, match=r"log:2: "):
        list(read_transcripts(path))


@pytest.mark.parametrize("verdict", ["speech", "silence", "repetitive", "improbable"])
def test_only_speech_is_learned_from(verdict: str) -> None:
    assert transcript(verdict=verdict).usable == (verdict == "speech")
