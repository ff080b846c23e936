"""A trained model's answers: one at a time, in batches, in shards, packed, and from the shell."""

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile

import kaldiio
import numpy as np
import pytest
import soundfile
import torch
from tiny_corpus import arguments, write

from sermtl import EmotionRecognizer, UserError
from sermtl.bin import infer_shard
from sermtl.cli import main as cli
from sermtl.data.datadir import read_column, write_column
from sermtl.inference import batches, merge, part_files
from sermtl.packing import pack
from sermtl.training.task import SERTask


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder)
    for part in ("train", "valid"):
        write_column(folder / part / "utt2num_samples", read_column(folder / part / "speech_shape"))
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    output = tmp_path_factory.mktemp("exp")
    SERTask.main(cmd=arguments(data, output, max_epoch=1))
    (output / "tokens").mkdir()
    for file in (data / "tokens").iterdir():
        (output / "tokens" / file.name).write_bytes(file.read_bytes())
    return output


@pytest.fixture(scope="module")
def recognizer(trained):
    return EmotionRecognizer.from_pretrained(trained)


@pytest.fixture(scope="module")
def clips(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("some clips")
    paths = []
    for utt_id, (rate, samples) in kaldiio.load_scp(str(data / "valid" / "wav.scp")).items():
        paths.append(folder / f"{utt_id}.wav")
        soundfile.write(paths[-1], samples, rate)
    return paths


def same(one, other):
    assert one.emotion == other.emotion
    assert one.scores == pytest.approx(other.scores, abs=1e-5)
    assert one.transcript == other.transcript
    np.testing.assert_allclose(one.speaker_embedding, other.speaker_embedding, atol=1e-4)


def test_a_prediction_has_every_task(recognizer, clips):
    p = recognizer(clips[0])
    assert p.emotion in ("A", "H", "N")
    assert sum(p.scores.values()) == pytest.approx(1)
    assert p.scores[p.emotion] == max(p.scores.values())
    assert p.gender in ("female", "male") and 0.5 <= p.gender_score <= 1
    assert p.speaker_embedding.shape == (8,)
    assert sum(p.task_weights.values()) == pytest.approx(1)
    assert isinstance(p.transcript, str)


def test_stream_keeps_the_order_and_equals_single_calls(recognizer, clips):
    answers = list(recognizer.stream(iter(clips), batch_seconds=0.8, pool=4))
    assert len(answers) == len(clips)
    for clip, answer in zip(clips, answers, strict=True):
        same(recognizer(clip), answer)


def test_path_array_and_file_object_are_alike(recognizer, clips):
    samples, rate = soundfile.read(clips[0], dtype="float32")
    content = clips[0].read_bytes()
    for audio in (str(clips[0]), (samples, rate), io.BytesIO(content), content):
        same(recognizer(clips[0]), recognizer(audio))


@pytest.mark.parametrize("name", ["gone.wav", "short.wav"])
def test_bad_audio_is_named(recognizer, tmp_path, name):
    soundfile.write(tmp_path / "short.wav", np.zeros(399), 16000)
    with pytest.raises(UserError, match=name):
        recognizer(tmp_path / name)


def test_audio_without_numbers_is_refused(recognizer):
    samples = np.zeros(8000, dtype=np.float32)
    samples[5] = np.nan
    with pytest.raises(UserError, match="not finite"):
        recognizer((samples, 16000))


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ((np.zeros((2, 8000), np.float32), 16000), r"shape \(2, 8000\), not \(N,\) or \(N, ch"),
        ((np.zeros(8000, np.float32), 0), "a rate of 0 Hz"),
        (b"RIFF and nothing", "the recording"),
        (b"", "the recording"),
    ],
)
def test_what_is_no_recording_is_told(recognizer, audio, message):
    with pytest.raises(UserError, match=message):
        recognizer(audio)


def test_rates_and_channels(recognizer, clips, tmp_path):
    samples, rate = soundfile.read(clips[0], dtype="float32")
    soundfile.write(tmp_path / "stereo.flac", np.stack([samples, samples], 1), rate)
    same(recognizer(clips[0]), recognizer(tmp_path / "stereo.flac"))
    wide = np.repeat(samples, 3)  # no good resampling, but of the same length
    assert recognizer((wide, 3 * rate)).duration == pytest.approx(len(samples) / rate, abs=1e-3)


def test_a_long_recording_is_cut_into_windows(recognizer, clips):
    parts = [soundfile.read(clip, dtype="float32")[0] for clip in clips[:5]]
    samples = np.concatenate(parts * 4)
    p = recognizer((samples, 16000), window=1.0)
    assert p.duration == pytest.approx(len(samples) / 16000)
    assert len(p.windows) > 3
    assert p.windows[0].start == 0 and p.windows[-1].end == pytest.approx(p.duration)
    for window in p.windows:
        first, last = round(window.start * 16000), round(window.end * 16000)
        same(window.prediction, recognizer((samples[first:last], 16000)))
    lengths = [w.end - w.start for w in p.windows]
    for emotion, score in p.scores.items():
        of_windows = [w.prediction.scores[emotion] for w in p.windows]
        assert score == pytest.approx(np.average(of_windows, weights=lengths), abs=1e-5)
    assert p.transcript == " ".join(t for w in p.windows if (t := w.prediction.transcript))
    with pytest.raises(UserError, match="a second or more"):
        recognizer(clips[0], window=0.5)


def test_a_stream_goes_on_after_bad_recordings(recognizer, clips):
    mixed = [clips[0], "gone.wav", clips[1], b"nothing", clips[2]]
    found = list(recognizer.stream(mixed, errors="return"))
    assert [isinstance(p, UserError) for p in found] == [False, True, False, True, False]
    for clip, place in zip(clips[:3], (0, 2, 4), strict=True):
        same(recognizer(clip), found[place])
    assert "gone.wav" in str(found[1])


def test_a_stream_answers_what_comes_before_an_error(recognizer, clips):
    found = []
    with pytest.raises(UserError, match=r"gone\.wav"):
        for p in recognizer.stream([clips[0], clips[1], "gone.wav", clips[2]]):
            found.append(p)
    assert len(found) == 2


def test_a_stream_reads_no_further_than_it_must(recognizer, clips):
    taken = []
    stream = recognizer.stream((taken.append(c) or c for c in clips), pool=2)
    assert taken == []
    next(stream)
    assert len(taken) == 2


def test_computing_in_another_type(trained, recognizer, clips):
    half = EmotionRecognizer.from_pretrained(trained, dtype="bfloat16")
    assert half.model.dtype == torch.bfloat16
    exact, near = recognizer(clips[0]), half(clips[0])
    assert near.scores != exact.scores
    assert near.scores == pytest.approx(exact.scores, abs=0.05)
    with pytest.raises(UserError, match="'float16' is none of float32, bfloat16"):
        EmotionRecognizer.from_pretrained(trained, dtype="float16")


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_named(trained, device):
    with pytest.raises(UserError, match=device):
        EmotionRecognizer.from_pretrained(trained, device)


def test_damaged_weights_are_named(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "exp", symlinks=True)
    weights = (tmp_path / "exp" / "final.pth").resolve()
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"final\.pth: damaged"):
        EmotionRecognizer.from_pretrained(tmp_path / "exp")


def test_sharding_changes_nothing(trained, data, tmp_path):
    tables = []
    for shards in (1, 3):
        output = tmp_path / str(shards)
        output.mkdir()
        for shard in range(1, shards + 1):
            options = ["--model", str(trained), "--weights", "final.pth"]
            options += ["--dump", str(data / "valid"), "--output", str(output)]
            options += ["--batch_seconds", "0.8", "--shard", str(shard), "--shards", str(shards)]
            infer_shard.main(options)
        written = merge(output, shards, list(read_column(data / "valid" / "wav.scp")))
        assert [path.name for path in written] == ["predictions.csv", "speaker_embeddings.npz"]
        assert not list(output.glob("part.*"))
        tables.append((output / "predictions.csv").read_text())
    assert tables[0] == tables[1]
    (header, *rows) = csv.reader(io.StringIO(tables[0]))
    assert header[:5] == ["id", "emotion", "prob_A", "prob_H", "prob_N"]
    assert header[-1] == "transcript"
    assert [row[0] for row in rows] == list(read_column(data / "valid" / "wav.scp"))
    layers = json.loads((trained / "layer_weights.json").read_text())["weights"]
    assert len(layers) == 3 and sum(layers) == pytest.approx(1)


def test_a_missing_shard_is_no_result(tmp_path):
    for file in part_files(tmp_path, 1):
        file.touch()
    with pytest.raises(UserError, match="no prediction"):
        merge(tmp_path, 1, ["u1"])


def test_batches_are_within_the_limit_and_hold_everything_once():
    lengths = [16000, 400, 48000, 8000, 160000, 8000]
    parts = batches(lengths, 3.0)
    assert sorted(i for part in parts for i in part) == list(range(len(lengths)))
    for part in parts:
        assert len(part) == 1 or max(lengths[i] for i in part) * len(part) <= 3 * 16000


def test_packed_folder_and_archive_answer_alike_elsewhere(trained, recognizer, clips, tmp_path):
    archive = pack(trained, "final.pth", tmp_path / "a model.v1", "# card")
    assert archive.name == "a model.v1.zip"
    assert set(zipfile.ZipFile(archive).namelist()) == {
        *("README.md", "config.json", "model.safetensors"),
        *("tokens/tokenizer.json", "tokens/tokens.txt"),  # no weights that are pickled, no markers
    }
    elsewhere = tmp_path / "moved.zip"
    archive.rename(elsewhere)
    for source in (tmp_path / "a model.v1", elsewhere):
        packed = EmotionRecognizer.from_pretrained(source)
        assert packed(clips[0]).scores == recognizer(clips[0]).scores
        assert packed(clips[0]).transcript == recognizer(clips[0]).transcript


def test_archives_that_lead_out_of_their_folder_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as members:
        members.writestr("../escaped", "x")
    with pytest.raises(UserError, match="leads out"):
        EmotionRecognizer.from_pretrained(tmp_path / "bad.zip")
    assert not (tmp_path / "escaped").exists()


def test_what_is_no_model_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    for source in (tmp_path, tmp_path / "file"):
        with pytest.raises(UserError, match=str(source)):
            EmotionRecognizer.from_pretrained(source)


def test_the_command_writes_a_row_for_each_file(trained, clips, tmp_path, capsys):
    table = tmp_path / "out.csv"
    cli(["predict", str(trained), *map(str, clips[:2]), "--output", str(table)])
    rows = list(csv.DictReader(table.open()))
    assert [row["id"] for row in rows] == [str(clip) for clip in clips[:2]]
    cli(["predict", str(trained), str(clips[0])])
    assert capsys.readouterr().out.splitlines()[0].startswith("id,emotion,prob_A")


def test_the_command_ends_with_a_message_not_a_traceback(trained, capsys):
    with pytest.raises(SystemExit) as ended:
        cli(["predict", str(trained), "gone.wav"])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: there is no file gone.wav")


def test_a_reader_that_leaves_early_is_no_error(trained, clips):
    command = [sys.executable, "-m", "sermtl.cli", "predict", str(trained), *map(str, clips)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    assert process.wait() == 141


def test_importing_the_package_loads_no_torch():
    code = "import sermtl, sermtl.cli, sys; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
