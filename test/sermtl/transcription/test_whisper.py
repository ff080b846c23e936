import pickle
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_whisper import write_checkpoint

from sermtl.errors import UserError

torch = pytest.importorskip("torch")
whisper = pytest.importorskip("whisper")

from sermtl.transcription.whisper import Transcriber, find_checkpoint  # noqa: E402


@pytest.fixture(scope="module", params=[False, True], ids=["english", "multilingual"])
def transcriber(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Transcriber]:
    path = write_checkpoint(tmp_path_factory.mktemp("whisper") / "tiny.pt", request.param)
    yield Transcriber(str(path))


def clip(seconds: float, pitch: float) -> np.ndarray:
    time = np.arange(int(16000 * seconds)) / 16000
    return (0.3 * np.sin(2 * np.pi * pitch * time * (1 + 0.2 * np.sin(3 * time)))).astype("float32")


CLIPS = {f"u{i}": clip(0.3 + 0.7 * i, 150 + 97 * i) for i in range(6)}


def test_a_batch_is_what_whisper_says_of_each_clip_alone(transcriber: Transcriber) -> None:
    batch = transcriber(CLIPS)
    assert [record.id for record in batch] == list(CLIPS)
    assert len({record.text for record in batch}) > 3, "the test model must listen"
    for record in batch:
        (alone,) = transcriber({record.id: CLIPS[record.id]})
        mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(CLIPS[record.id]))
        options = whisper.DecodingOptions(
            language=record.language, fp16=False, without_timestamps=True
        )
        reference = whisper.decode(transcriber.model, mel, options)
        assert record.text == alone.text == " ".join(reference.text.split())
        assert record.language == alone.language
        assert record.avg_logprob == pytest.approx(reference.avg_logprob, abs=1e-4)
        assert record.avg_logprob == pytest.approx(alone.avg_logprob, abs=1e-4)
        assert record.no_speech_prob == pytest.approx(reference.no_speech_prob, abs=1e-4)
        assert record.compression_ratio == pytest.approx(
            reference.compression_ratio
            if record.text == reference.text
            else alone.compression_ratio
        )
        assert record.duration == len(CLIPS[record.id]) / 16000
        assert record.temperature == 0.0


def test_each_clip_gets_its_own_language(transcriber: Transcriber) -> None:
    if not transcriber.model.is_multilingual:
        assert {record.language for record in transcriber(CLIPS)} == {"en"}
        return
    for record in transcriber(CLIPS):
        mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(CLIPS[record.id]))
        _, probabilities = whisper.detect_language(transcriber.model, mel)
        assert record.language == max(probabilities, key=probabilities.get)


def test_long_clips_go_through_windows(transcriber: Transcriber) -> None:
    clips = {"long": clip(33, 300), **CLIPS}
    long, *rest = transcriber(clips)
    reference = transcriber.model.transcribe(
        clips["long"],
        language=None if transcriber.model.is_multilingual else "en",
        temperature=0.0,
        condition_on_previous_text=False,
        fp16=False,
    )
    assert long.text == " ".join(reference["text"].split()) != ""
    assert long.duration == 33
    assert long.language == reference["language"]
    scores = [segment["avg_logprob"] for segment in reference["segments"]]
    assert min(scores) - 1e-4 <= long.avg_logprob <= max(scores) + 1e-4
    assert [record.text for record in rest] == [record.text for record in transcriber(CLIPS)]


def test_a_long_clip_without_speech(
    transcriber: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = {"text": "", "segments": [], "language": "en"}
    monkeypatch.setattr(transcriber.model, "transcribe", lambda *_, **__: nothing)
    (record,) = transcriber({"long": clip(31, 300)})
    assert not record.heard and record.avg_logprob is None
    assert b'"avg_logprob": null' in record.to_line()


def test_languages(tmp_path: Path) -> None:
    english = write_checkpoint(tmp_path / "english.pt")
    with pytest.raises(UserError, match="English only"):
        Transcriber(str(english), language="pl")
    many = str(write_checkpoint(tmp_path / "many.pt", multilingual=True))
    assert {record.language for record in Transcriber(many, language="pl")(CLIPS)} == {"pl"}
    with pytest.raises(UserError, match=r"--language polish: use auto or one of af .* pl "):
        Transcriber(many, language="polish")


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    class Malice:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "touched",)

    path = tmp_path / "malice.pt"
    torch.save({"dims": Malice(), "model_state_dict": {}}, path)
    with pytest.raises(UserError, match="not a Whisper checkpoint"):
        Transcriber(str(path))
    path.write_bytes(pickle.dumps(Malice(), protocol=2))
    with pytest.raises(UserError, match="not a Whisper checkpoint"):
        Transcriber(str(path))
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("damage", ["empty", "cut", "other", "smaller"])
def test_damaged_checkpoints_are_named(tmp_path: Path, damage: str) -> None:
    path = write_checkpoint(tmp_path / "tiny.pt")
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:100_000])
    elif damage == "other":
        torch.save({"weight": torch.zeros(3)}, path)
    else:
        checkpoint = torch.load(path, weights_only=True)
        checkpoint["dims"]["n_audio_layer"] = 2
        torch.save(checkpoint, path)
    with pytest.raises(UserError, match=r"tiny\.pt is not a Whisper checkpoint"):
        Transcriber(str(path))


def test_models_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(url: str) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(UserError, match=r"tiny\.en.*no network.*path of a checkpoint.*none"):
        find_checkpoint("tiny.en")
    with pytest.raises(UserError, match=r"neither a file nor one of tiny\.en, "):
        find_checkpoint("tiniest")
