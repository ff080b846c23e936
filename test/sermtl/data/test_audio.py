import io
import os
import shutil
import subprocess
import sys

import kaldiio
import numpy as np
import pytest
import soundfile

from sermtl.data import dump as dump_module
from sermtl.data.audio import (
    MIN_SAMPLES,
    dumped_samples,
    read_audio,
    read_dump,
    to_int16,
    to_mono_16k,
)
from sermtl.data.datadir import write_column
from sermtl.data.dump import dump_audio
from sermtl.data.utterance import Utterance
from sermtl.errors import UserError


def tone(rate, seconds=0.5, hertz=440.0):
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype("f4")


@pytest.mark.parametrize("rate", [8000, 16000, 24414, 44100, 48000])
@pytest.mark.parametrize("form", ["wav", "flac"])
def test_any_rate_becomes_the_same_tone(tmp_path, rate, form):
    file = tmp_path / f"a b.{form}"
    soundfile.write(file, tone(rate), rate)
    samples = read_audio(file)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(8000, abs=2)
    middle = slice(500, -500)
    expected = tone(16000)[: len(samples)]
    assert np.abs(samples[: len(expected)] - expected)[middle].max() < 0.01


def test_channels_are_averaged(tmp_path):
    file = tmp_path / "stereo.wav"
    soundfile.write(file, np.stack([tone(16000), -0.5 * tone(16000)], axis=1), 16000, "FLOAT")
    np.testing.assert_allclose(read_audio(file), 0.25 * tone(16000), atol=1e-6)


def test_stretches_and_file_objects(tmp_path):
    file = tmp_path / "a.wav"
    soundfile.write(file, tone(16000, 2.0), 16000, "FLOAT")
    whole = read_audio(file)
    np.testing.assert_array_equal(read_audio(file, 0.5, 1.25), whole[8000:20000])
    np.testing.assert_array_equal(read_audio(io.BytesIO(file.read_bytes())), whole)
    with pytest.raises(UserError, match="no stretch"):
        read_audio(file, 1.0, 3.0)


@pytest.mark.parametrize("content", [b"", b"not audio", b"RIFF\x00\x00\x00\x00WAVE"])
def test_unreadable_files_are_named(tmp_path, content):
    file = tmp_path / "bad.wav"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.wav"):
        read_audio(file)


def test_what_cannot_be_gone_back_in_is_told():
    reading, writing = os.pipe()
    os.close(writing)
    with (
        open(reading, "rb") as pipe,
        pytest.raises(UserError, match="the recording: can't be read"),
    ):
        read_audio(pipe)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.wav"):
        read_audio(tmp_path / "gone.wav")


def test_integer_arrays_are_fractions_of_full_scale():
    samples = to_mono_16k(np.array([-32768, 0, 16384], dtype=np.int16), 16000)
    assert samples.tolist() == [-1.0, 0.0, 0.5]


def test_16_bit_keeps_values_and_never_clips():
    speech = np.linspace(-0.9, 0.9, 1000).astype("f4")
    np.testing.assert_allclose(to_int16(speech) / 32768, speech, atol=1e-4)
    loud = to_int16(4 * speech)
    np.testing.assert_allclose(loud / 32768, speech / 0.9, atol=1e-4)
    assert to_int16(np.full(400, 1.0, "f4")).max() == 32767


def test_16_bit_audio_comes_through_unchanged(tmp_path):
    samples = np.arange(-32768, 32768).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    np.testing.assert_array_equal(to_int16(read_audio(tmp_path / "a.wav")), samples)


def test_a_file_cut_off_is_not_read_in_part(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"a\.flac: damaged"):
        read_audio(tmp_path / "a.flac")


@pytest.fixture
def video(tmp_path):
    """Two seconds of a tone as the sound of a video."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    soundfile.write(tmp_path / "tone.wav", tone(44100, 2.0), 44100)
    file = tmp_path / "a clip.mkv"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin"]
    command += ["-f", "lavfi", "-i", "color=size=32x32:rate=5:duration=2"]
    command += ["-i", str(tmp_path / "tone.wav"), "-c:a", "pcm_s16le", "-shortest", str(file)]
    subprocess.run(command, check=True)
    return file


def test_video_is_read_through_ffmpeg(video):
    samples = read_audio(video)
    assert len(samples) == pytest.approx(32000, abs=320)
    middle = slice(500, 30000)
    np.testing.assert_allclose(samples[middle], tone(16000, 2.0)[middle], atol=0.01)
    assert len(read_audio(video, 0.5, 1.25)) == pytest.approx(12000, abs=16)
    with pytest.raises(UserError, match="no stretch"):
        read_audio(video, 1.0, 3.0)


def copied(video, name, *options):
    """The video in another container."""
    import imageio_ffmpeg

    file = video.with_name(name)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin", "-i", str(video)]
    subprocess.run([*command, "-c", "copy", *options, str(file)], check=True)
    return file


@pytest.mark.parametrize(
    ("form", "options", "message"),
    [
        ("mkv", (), "damaged or cut off"),
        ("mov", ("-movflags", "+faststart"), "damaged or cut off"),  # its index comes first
        ("mov", (), r"neither audio nor video \(moov atom not found\)"),  # its index comes last
    ],
)
def test_a_video_cut_off_is_not_read_in_part(video, form, options, message):
    file = copied(video, f"copy.{form}", *options)
    assert len(read_audio(file)) == pytest.approx(32000, abs=320)
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(UserError, match=rf"copy\.{form}: {message}"):
        read_audio(file)


def test_a_video_without_sound_is_told_from_damage(video):
    with pytest.raises(UserError, match=r"mute\.mkv: no audio track was found"):
        read_audio(copied(video, "mute.mkv", "-an"))


def test_video_without_ffmpeg_says_what_to_install(video, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match="install ffmpeg"):
        read_audio(video)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.full(1000, np.nan, "f4"), 16000, "finite"),
        (np.full(1000, np.inf, "f4"), 16000, "finite"),
        (np.full(1000, 1e300), 16000, r"as large as 1e\+300"),
        (np.full(1000, 2.2e9), 16000, r"as large as 2e\+09"),
        (np.zeros(1000, "f4"), 999, "a rate of 999 Hz"),
        (np.zeros(1000, "f4"), 1_000_001, "a rate of 1000001 Hz"),
    ],
)
def test_samples_that_are_no_sound_are_refused(samples, rate, message):
    with pytest.raises(UserError, match=message):
        to_mono_16k(samples, rate)


def test_clips_too_short_for_the_encoders_are_refused():
    assert len(to_int16(np.zeros(MIN_SAMPLES, "f4"))) == MIN_SAMPLES
    with pytest.raises(UserError, match="only 399 samples"):
        to_int16(np.zeros(MIN_SAMPLES - 1, "f4"))


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "in put"
    folder.mkdir()
    utterances = []
    for i in range(5):
        soundfile.write(folder / f"{i}.wav", tone(16000, 0.2 + 0.1 * i), 16000)
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
    soundfile.write(clips[0].audio, tone(16000, 1.0), 16000)
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


def test_a_dumped_clip_comes_as_floats_and_other_formats_are_refused(tmp_path):
    samples = np.array([-32768, 0, 16384], dtype=np.int16)
    ark = tmp_path / "wav.ark"
    kaldiio.save_ark(str(ark), {"a": (16000, samples), "b": (8000, samples)})
    second = ark.read_bytes().index(b"b ") + 2
    assert dumped_samples(f"{ark}:2").dtype == np.float32
    assert dumped_samples(f"{ark}:2").tolist() == [-1.0, 0.0, 0.5]
    with pytest.raises(UserError, match=r"wav\.ark:\d+: not a wav of 16 kHz"):
        dumped_samples(f"{ark}:{second}")
    with open(ark, "r+b") as stream:
        stream.truncate(second + 4)
    for place in (f"{ark}:{second}", f"{tmp_path}/gone.ark:2"):
        with pytest.raises(UserError, match="run stage 1 again"):
            dumped_samples(place)
