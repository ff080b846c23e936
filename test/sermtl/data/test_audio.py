import io
import os
import shutil
import subprocess
import sys

import kaldiio
import numpy as np
import pytest
import soundfile

from sermtl.data import audio
from sermtl.data.audio import (
    MIN_SAMPLES,
    audio_files,
    change_speed,
    dumped_samples,
    padded,
    read_audio,
    read_dump,
    to_int16,
    to_mono_16k,
)
from sermtl.data.datadir import write_column
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
    assert len(read_audio(file, 1.0, 1.0)) == 0
    np.testing.assert_array_equal(read_audio(file, 1.0, 2.01), whole[16000:])  # times are rounded
    for end in (2.0101, 3.0):
        with pytest.raises(UserError, match=rf"no stretch from 1\.0 to {end} s in 2\.00 s"):
            read_audio(file, 1.0, end)


def test_what_is_longer_than_allowed_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(8000, 2.0), 8000)
    assert len(read_audio(tmp_path / "a.wav", longest=2.0)) == 32000
    assert len(read_audio(tmp_path / "a.wav", 0.5, 2.0, longest=1.5)) == 24000
    with pytest.raises(UserError, match=r"a\.wav: over 1\.5 s long"):
        read_audio(tmp_path / "a.wav", longest=1.5)


def test_recordings_are_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "BLOCK", 2 * 7000)
    stereo = np.random.default_rng(0).uniform(-0.5, 0.5, (32000, 2)).astype("f4")
    soundfile.write(tmp_path / "a.wav", stereo, 16000, "FLOAT")
    for start, end in ((None, None), (0.5, 1.25)):
        expected = stereo[slice(start and 8000, end and 20000)].mean(axis=1)
        np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", start, end), expected)


def test_a_wav_whose_length_was_never_filled_in(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(16000, 2.0), 16000)
    whole, content = read_audio(tmp_path / "a.wav"), (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[:40] + bytes(4) + content[44:])
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav"), whole)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", 0.5, 1.25), whole[8000:20000])
    with pytest.raises(UserError, match=r"over 1\.5 s"):
        read_audio(tmp_path / "a.wav", longest=1.5)


def without_length(path, clip):
    """An MP3 without its first frame, which tells the length."""
    kind = {"subtype": "MPEG_LAYER_III", "bitrate_mode": "VARIABLE"}
    soundfile.write(path, clip, 16000, **kind)
    whole, content = read_audio(path), path.read_bytes()
    path.write_bytes(content[content.index(content[:2], 4) :])
    return whole


def test_an_mp3_may_be_shorter_than_libsndfile_expects(tmp_path):
    """Frames of silence are small, and by these it takes the others to be many."""
    clip = np.concatenate([np.zeros(32000, "f4"), tone(16000, 0.5)])
    without_length(tmp_path / "a.mp3", clip)
    expected = soundfile.info(tmp_path / "a.mp3").frames
    assert len(clip) <= len(read_audio(tmp_path / "a.mp3")) < expected - 10_000


def test_an_mp3_may_be_longer_than_libsndfile_expects(tmp_path):
    clip = np.concatenate([tone(16000, 0.5), np.zeros(32000, "f4"), tone(16000, 0.5)])
    whole = without_length(tmp_path / "a.mp3", clip)
    assert soundfile.info(tmp_path / "a.mp3").frames < len(clip) - 10_000
    samples = read_audio(tmp_path / "a.mp3")
    np.testing.assert_array_equal(samples[576:][: len(whole)], whole)  # a frame comes before
    np.testing.assert_array_equal(read_audio(tmp_path / "a.mp3", 1.0, 2.5), samples[16000:40000])
    with pytest.raises(UserError, match=r"over 2\.5 s"):
        read_audio(tmp_path / "a.mp3", longest=2.5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", None),
        (b"not audio", "Format not recognised"),
        (b"RIFF\x00\x00\x00\x00WAVE", ".+"),
    ],
)
def test_unreadable_files_are_named(tmp_path, content, message):
    file = tmp_path / "bad.wav"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.wav: ." if content else "empty$"):
        read_audio(file)
    if content:
        with pytest.raises(UserError, match=f"^the recording: {message}$"):
            read_audio(io.BytesIO(content))


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "link.wav").symlink_to("gone.wav")
    kinds = {
        tmp_path: "a folder, not a file",
        tmp_path / "pipe.wav": "a pipe, not a file",
        "/dev/zero": "a device, not a file",
        tmp_path / "link.wav": "a link to gone.wav, which isn't there",
        tmp_path / "gone.wav": "there is no such file",
    }
    for path, message in kinds.items():
        with pytest.raises(UserError, match=f"^{path}: {message}$"):
            read_audio(path)


def test_what_soundfile_cannot_read_goes_to_ffmpeg(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(audio, "decode", lambda *of: given.append(of) or np.zeros(16000, "i2"))
    (tmp_path / "a.mov").write_bytes(b"not audio")
    soundfile.write(tmp_path / "a.flac", tone(16000), 16000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21:26] = content[21] & 0xF0, 0, 0, 0, 0  # the number of samples
    (tmp_path / "a.flac").write_bytes(content)
    for name in ("a.mov", "a.flac"):
        assert len(read_audio(tmp_path / name, 0.5, 1.5, 1.0)) == 16000
        *options, reason = given.pop()
        assert options == [str(tmp_path / name), 0.5, 1.5, 1.0] and reason
        with pytest.raises(UserError, match=rf"{name}: over 0\.9 s"):
            read_audio(tmp_path / name, longest=0.9)


def test_what_cannot_be_gone_back_in_is_told():
    reading, writing = os.pipe()
    os.close(writing)
    with (
        open(reading, "rb") as pipe,
        pytest.raises(UserError, match=r"the recording: can't be read \(.*seek"),
    ):
        read_audio(pipe)


def test_integer_arrays_are_fractions_of_full_scale():
    samples = to_mono_16k(np.array([-32768, 0, 16384], dtype=np.int16), 16000)
    assert samples.tolist() == [-1.0, 0.0, 0.5]
    assert to_mono_16k(np.array([-16384, 8192], dtype=np.int16), 16000).tolist() == [-0.5, 0.25]
    assert to_mono_16k(np.array([], dtype=np.int16), 16000).tolist() == []


@pytest.mark.parametrize("loud", [[-1.5, 0.75], [1.5, -0.75], [-(2.0**31), 2.0**30]])
def test_what_is_beyond_full_scale_is_scaled_down(loud):
    samples = to_mono_16k(np.array(loud), 16000)
    assert samples.tolist() == (np.array(loud) / abs(loud[0])).tolist()


@pytest.mark.parametrize("rate", [1000, 1_000_000])
def test_rates_at_the_limits_are_read(rate):
    assert len(to_mono_16k(np.zeros(rate // 10, "f4"), rate)) == 1600


@pytest.mark.parametrize("speed", [0.9, 1.0, 2.0])
def test_speech_at_another_speed(speed):
    faster = change_speed(tone(16000), speed)
    assert len(faster) == pytest.approx(8000 / speed, abs=1)
    middle = slice(500, int(8000 / speed) - 500)
    assert np.abs(faster - tone(16000, 1.0, 440 * speed)[: len(faster)])[middle].max() < 0.01


def test_16_bit_keeps_values_and_never_clips():
    speech = np.linspace(-0.9, 0.9, 1000).astype("f4")
    np.testing.assert_allclose(to_int16(speech) / 32768, speech, atol=1e-4)
    loud = to_int16(4 * speech)
    np.testing.assert_allclose(loud / 32768, speech / 0.9, atol=1e-4)
    assert to_int16(np.full(400, 1.0, "f4")).max() == 32767
    assert set(to_int16(np.full(400, 1.6 / 32768, "f4"))) == {2}
    assert loud.dtype == np.int16


def test_16_bit_audio_comes_through_unchanged(tmp_path):
    samples = np.arange(-32768, 32768).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    np.testing.assert_array_equal(to_int16(read_audio(tmp_path / "a.wav")), samples)


def test_a_file_cut_off_is_not_read_in_part(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"a\.flac: damaged or cut off \("):
        read_audio(tmp_path / "a.flac")
    soundfile.write(tmp_path / "a.wav", tone(16000), 16000)
    os.truncate(tmp_path / "a.wav", 9044)
    with pytest.raises(UserError, match=r"a\.wav: cut off, 7000 bytes short"):
        read_audio(tmp_path / "a.wav")


def test_fewer_samples_than_promised_are_refused(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", tone(16000), 16000)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda self, frames, **_: np.empty(0, "f4"))
    with pytest.raises(UserError, match=r"a\.wav: damaged or cut off \(0 of 8000 samples"):
        read_audio(tmp_path / "a.wav")


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
        (np.zeros(1000, "f4"), 999, "a rate of 999 Hz; from 1000 to 1000000"),
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


def test_a_dumped_clip_comes_as_floats_and_other_formats_are_refused(tmp_path):
    samples = np.array([-32768, 0, 16384], dtype=np.int16)
    ark = tmp_path / "a:b" / "wav.ark"
    ark.parent.mkdir()
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
    kaldiio.save_ark(str(ark), {"a": np.zeros(800, np.float32)}, write_function="numpy")
    with pytest.raises(UserError, match=r"wav\.ark:2: no clip: run stage 1 again"):
        dumped_samples(f"{ark}:2")


@pytest.fixture
def dumped(tmp_path):
    """Two clips in one archive, the later one named before the other, and one in a second."""
    folder = tmp_path / "a:b"
    folder.mkdir()
    clips = {"b": np.arange(500, dtype="i2"), "a": np.arange(600, dtype="i2")}
    kaldiio.save_ark(str(folder / "1.ark"), {u: (16000, clip) for u, clip in clips.items()})
    kaldiio.save_ark(str(folder / "2.ark"), {"c": (16000, clips["b"])})
    begin = (folder / "1.ark").read_bytes().index(b"a RIFF") + 2
    places = {"a": f"{folder}/1.ark:{begin}", "b": f"{folder}/1.ark:2", "c": f"{folder}/2.ark:2"}
    write_column(folder / "wav.scp", places)
    write_column(folder / "utt2num_samples", {"a": "600", "b": "500", "c": "500"})
    return folder


def test_archives_that_end_too_early_are_refused(dumped):
    dump = read_dump(dumped)
    assert (dump.ids, dump.lengths) == (["a", "b", "c"], [600, 500, 500])
    assert dump.samples("b").tolist() == (np.arange(500) / 32768).tolist()
    for archive in (dumped / "1.ark", dumped / "2.ark"):
        size = archive.stat().st_size
        os.truncate(archive, size - 1)
        with pytest.raises(UserError, match=f"^{archive}: {size - 1} bytes, {size} were"):
            read_dump(dumped)
        last = dump.paths["a" if archive.name == "1.ark" else "c"]
        with pytest.raises(UserError, match=f"^{last}: cut off"):
            dumped_samples(last)
        os.truncate(archive, size)
    (dumped / "2.ark").unlink()
    with pytest.raises(UserError, match=r"2\.ark: 0 bytes"):
        read_dump(dumped)


def test_files_that_tell_of_another_dump():
    assert [str(file) for file in audio_files("a/b")] == ["a/b/wav.scp", "a/b/audio.sha256"]


def test_clips_become_a_batch():
    speech, lengths = padded([np.array([1.0, 2.0], "f4"), np.array([3.0], "f4")])
    assert speech.tolist() == [[1, 2], [3, 0]] and lengths.tolist() == [2, 1]
