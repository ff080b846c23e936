"""Dumping a set's audio: as few archives, in parallel, going on after an end."""

import dataclasses
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import kaldiio
import numpy as np
import pytest
import soundfile

from sermtl.data import dump as dump_module
from sermtl.data.audio import read_audio, read_dump
from sermtl.data.datadir import write_column
from sermtl.data.dump import dump_audio
from sermtl.data.utterance import Utterance
from sermtl.errors import UserError
from sermtl.files import sha256


def tone(seconds):
    return (0.4 * np.sin(2 * np.pi * 440 * np.arange(int(16000 * seconds)) / 16000)).astype("f4")


class Threads(ThreadPoolExecutor):
    """In place of processes, which take a second to begin."""

    asked: ClassVar = []

    def __init__(self, workers, context, begin):
        assert context.get_start_method() == "spawn" and begin is dump_module._begin_worker
        self.asked.append(workers)
        super().__init__(workers)

    def shutdown(self, wait=True, *, cancel_futures=False):
        assert cancel_futures  # what waits is not to begin after a failure
        super().shutdown(wait, cancel_futures=cancel_futures)


@pytest.fixture(autouse=True)
def workers(request, monkeypatch):
    """How many were asked for."""
    monkeypatch.setattr(Threads, "asked", [])
    if "processes" not in request.fixturenames:
        monkeypatch.setattr(dump_module, "ProcessPoolExecutor", Threads)
    return Threads.asked


@pytest.fixture
def processes():
    """Real ones."""


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "in put"
    folder.mkdir()
    utterances = []
    for i in range(5):
        soundfile.write(folder / f"{i}.wav", tone(0.2 + 0.1 * i), 16000)
        utterances.append(Utterance(f"u{i}", str(folder / f"{i}.wav"), "train"))
    return utterances


def finish(dumped, folder):
    write_column(folder / "wav.scp", dumped.places)
    write_column(folder / "utt2num_samples", {u: str(n) for u, n in dumped.samples.items()})
    return read_dump(folder)


def test_dump_holds_the_audio_for_us_and_for_espnet(clips, tmp_path):
    dumped = dump_audio(clips, tmp_path / "dump" / "train", 2, 0.0)
    dump = finish(dumped, tmp_path / "dump" / "train")
    assert dump.ids == [u.id for u in clips]
    for clip, length in zip(clips, dump.lengths, strict=True):
        expected = read_audio(clip.audio)
        assert length == len(expected)
        np.testing.assert_allclose(dump.samples(clip.id), expected, atol=1e-4)

    rate, samples = kaldiio.load_scp(str(tmp_path / "dump" / "train" / "wav.scp"))["u3"]
    assert rate == 16000 and samples.dtype == np.int16

    # What espnet2.train.dataset makes of the type `kaldi_ark`; importing ESPnet takes too long.
    from espnet2.fileio.read_text import read_2columns_text

    scp = read_2columns_text(tmp_path / "dump" / "train" / "wav.scp")
    assert scp == dump.paths


def test_unreadable_clips_are_listed_and_limited(clips, tmp_path):
    for name in ("bad", "worse"):
        (tmp_path / f"{name}.wav").write_bytes(b"no")
    (tmp_path / "short.wav").symlink_to(clips[0].audio)
    bad = [
        Utterance("u4a", str(tmp_path / "bad.wav"), "train"),
        Utterance("u1a", str(tmp_path / "worse.wav"), "train"),
        Utterance("u0a", str(tmp_path / "short.wav"), "train", start=0.0, end=0.02),
        Utterance("u0b", str(tmp_path / "a:7"), "train"),
        Utterance("u0c", str(tmp_path / "gone\n.wav"), "train"),
    ]
    folder = tmp_path / "dump" / "train"
    dumped = dump_audio([*bad, *clips], folder, 1, 0.5)
    assert list(dumped.places) == list(dumped.samples) == [u.id for u in clips]
    reasons = {u.id: dumped.unreadable[u.id] for u in bad}
    assert list(reasons) == [u.id for u in bad] and len(dumped.unreadable) == 5
    assert reasons["u4a"].startswith(f"{tmp_path}/bad.wav: ")
    assert reasons["u0a"].startswith(f"{tmp_path}/short.wav: only 320 samples")
    assert reasons["u0b"].startswith(f"{tmp_path}/a:7: the name has a number")
    assert reasons["u0c"].startswith(rf"{tmp_path}/gone\n.wav: the name has a line break")
    lines = (folder / "unreadable.txt").read_text().splitlines()
    assert lines == [f"{utt_id} {dumped.unreadable[utt_id]}" for utt_id in sorted(reasons)]
    with pytest.raises(UserError, match=r"^5 of 10 clips of train .*short\.wav") as error:
        dump_audio([*bad, *clips], folder, 1, 0.49)
    assert str(error.value).endswith(": " + "; ".join(reasons[u] for u in ("u0a", "u0b", "u0c")))


def test_stretches_speeds_and_silence(clips, tmp_path):
    whole = read_audio(clips[4].audio)
    soundfile.write(tmp_path / "still.wav", np.full(500, 0.25), 16000)
    wanted = [
        dataclasses.replace(clips[4], id="a", start=0.1, end=0.3),
        dataclasses.replace(clips[4], id="b", speed=2.0),
        Utterance("c", str(tmp_path / "still.wav"), "train"),
    ]
    folder = tmp_path / "dump" / "train"
    dumped = dump_audio(wanted, folder, 1, 0.0)
    assert (dumped.silent, dumped.changed, dumped.unreadable) == (["c"], [], {})
    assert dumped.digests == {"wav.1.ark": sha256(folder / "wav.1.ark")}
    dump = finish(dumped, folder)
    assert dump.lengths == [3200, len(whole) // 2, 500]
    np.testing.assert_allclose(dump.samples("a"), whole[1600:4800], atol=1e-4)
    assert dump_audio(wanted, folder, 1, 0.0) == dumped  # what is left to do tells the same
    faster = [*wanted[:1], dataclasses.replace(wanted[1], speed=1.0), wanted[2]]
    assert dump_audio(faster, folder, 1, 0.0).samples["b"] == len(whole)


def test_a_clip_that_changes_meanwhile_is_told(clips, tmp_path, monkeypatch):
    def slow(path, *stretch):
        samples = read_audio(path, *stretch)
        if path == clips[1].audio:
            soundfile.write(path, tone(1.0), 16000)
        return samples

    with monkeypatch.context() as patch:
        patch.setattr(dump_module, "read_audio", slow)
        dumped = dump_audio(clips, tmp_path / "train", 1, 0.0)
    assert dumped.changed == ["u1"] and dumped.samples["u1"] == 4800
    again = dump_audio(clips, tmp_path / "train", 1, 0.0)
    assert again.changed == [] and again.samples["u1"] == 16000


def test_what_is_odd_is_gathered_from_all_archives(tmp_path, monkeypatch):
    def still(path, *stretch):
        if path.endswith("bad"):
            raise UserError(path)
        with open(path, "a") as stream:
            stream.write("more")
        return np.zeros(400, "f4")

    monkeypatch.setattr(dump_module, "read_audio", still)
    monkeypatch.setattr(dump_module, "SHARD_UTTERANCES", 1)
    names = ("a.bad", "b.wav", "c.bad", "d.wav")
    clips = [Utterance(name[0], str(tmp_path / name), "train") for name in names]
    dumped = dump_audio(clips, tmp_path / "train", 2, 0.5)
    assert sorted(dumped.unreadable) == ["a", "c"]
    assert sorted(dumped.silent) == sorted(dumped.changed) == ["b", "d"]


def test_no_more_workers_than_archives(clips, tmp_path, monkeypatch, workers):
    monkeypatch.setattr(dump_module, "SHARD_UTTERANCES", 2)
    for number in (0, 2, 9):
        dump_audio(clips, tmp_path / "train", number, 0.0)
    dump_audio([], tmp_path / "none", 4, 0.0)
    assert workers == [1, 2, 3, 1]


def test_workers_leave_the_keyboard_to_the_parent(monkeypatch):
    monkeypatch.setattr(dump_module, "end_with_parent", lambda: None)
    before = signal.getsignal(signal.SIGINT)
    try:
        dump_module._begin_worker()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_unread_files_may_be_gone(tmp_path):
    lost = Utterance("u", str(tmp_path / "gone.wav"), "train", start=1.0, end=2.0)
    assert dump_module.source_of(lost) == ["u", lost.audio, 1.0, 2.0, 1.0, None]
    (tmp_path / "gone.wav").write_bytes(b"1234")
    os.utime(tmp_path / "gone.wav", ns=(5, 7))
    assert dump_module.source_of(lost)[-1] == [4, 7]
    assert dump_module.source_of(Utterance("u", "no\0name", "train"))[-1] is None


def test_finished_shards_are_kept_and_changed_ones_redone(clips, tmp_path):
    folder = tmp_path / "dump" / "train"
    dump_audio(clips, folder, 1, 0.0)
    archive = folder / "wav.1.ark"
    first = archive.stat().st_mtime_ns
    dump_audio(clips, folder, 1, 0.0)
    assert archive.stat().st_mtime_ns == first
    soundfile.write(clips[0].audio, tone(1.0), 16000)
    assert dump_audio(clips, folder, 1, 0.0).samples["u0"] == 16000


def test_leftovers_of_other_runs_are_removed(clips, tmp_path, monkeypatch):
    folder = tmp_path / "dump" / "train"
    monkeypatch.setattr(dump_module, "SHARD_UTTERANCES", 2)
    dump_audio(clips, folder, 2, 0.0)
    assert sorted(p.name for p in folder.glob("wav.*.ark")) == [f"wav.{k}.ark" for k in (1, 2, 3)]
    (folder / "wav.31.ark").touch()  # of a run that was killed
    dumped = dump_audio(clips[:3], folder, 2, 0.0)
    assert list(dumped.places) == ["u0", "u1", "u2"]
    assert dumped.digests.keys() == {"wav.1.ark", "wav.2.ark"}
    assert [p.name for p in folder.glob("*wav.3*")] == []


@pytest.mark.usefixtures("processes")
def test_several_archives_hold_what_one_holds(clips, tmp_path, monkeypatch):
    one = dump_audio(clips, tmp_path / "one", 1, 0.0)
    monkeypatch.setattr(dump_module, "SHARD_UTTERANCES", 2)
    many = finish(dump_audio(clips, tmp_path / "many", 2, 0.0), tmp_path / "many")
    one = finish(one, tmp_path / "one")
    assert one.lengths == many.lengths
    for utt_id in one.ids:
        np.testing.assert_array_equal(one.samples(utt_id), many.samples(utt_id))
