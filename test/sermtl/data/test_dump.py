"""Dumping a set's audio: as few archives, in parallel, going on after an end."""

import numpy as np
import pytest
import soundfile

from sermtl.data import dump as dump_module
from sermtl.data.audio import read_audio, read_dump
from sermtl.data.datadir import write_column
from sermtl.data.dump import dump_audio
from sermtl.data.utterance import Utterance
from sermtl.errors import UserError


def tone(seconds):
    return (0.4 * np.sin(2 * np.pi * 440 * np.arange(int(16000 * seconds)) / 16000)).astype("f4")


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

    from kaldiio import load_scp

    rate, samples = load_scp(str(tmp_path / "dump" / "train" / "wav.scp"))["u3"]
    assert rate == 16000 and samples.dtype == np.int16

    # What espnet2.train.dataset makes of the type `kaldi_ark`; importing ESPnet takes too long.
    from espnet2.fileio.read_text import read_2columns_text

    scp = read_2columns_text(tmp_path / "dump" / "train" / "wav.scp")
    assert scp == dump.paths


def test_unreadable_clips_are_listed_and_limited(clips, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no")
    clips = [*clips, Utterance("u9", str(bad), "train")]
    folder = tmp_path / "dump" / "train"
    dumped = dump_audio(clips, folder, 1, 0.5)
    assert list(dumped.unreadable) == ["u9"]
    assert "bad.wav" in (folder / "unreadable.txt").read_text()
    with pytest.raises(UserError, match=r"1 of 6 .* bad\.wav|1 of 6"):
        dump_audio(clips, folder, 1, 0.1)


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
    dumped = dump_audio(clips[:3], folder, 2, 0.0)
    assert list(dumped.places) == ["u0", "u1", "u2"]
    assert [p.name for p in folder.glob("*wav.3*")] == []


def test_several_archives_hold_what_one_holds(clips, tmp_path, monkeypatch):
    one = dump_audio(clips, tmp_path / "one", 1, 0.0)
    monkeypatch.setattr(dump_module, "SHARD_UTTERANCES", 2)
    many = finish(dump_audio(clips, tmp_path / "many", 2, 0.0), tmp_path / "many")
    one = finish(one, tmp_path / "one")
    assert one.lengths == many.lengths
    for utt_id in one.ids:
        np.testing.assert_array_equal(one.samples(utt_id), many.samples(utt_id))
