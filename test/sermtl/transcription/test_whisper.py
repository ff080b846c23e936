import math
import pickle
import urllib.error
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_whisper import write_checkpoint

from sermtl.errors import UserError
from sermtl.transcription.guards import Guards
from sermtl.transcription.records import Transcript

torch = pytest.importorskip("torch")
whisper = pytest.importorskip("whisper")

from sermtl.transcription.whisper import Transcriber, _halve, _seeded, find_checkpoint  # noqa: E402

GREEDY = Guards(temperatures=(0.0,))


@pytest.fixture(scope="module", params=[False, True], ids=["english", "multilingual"])
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Transcriber]:
    path = write_checkpoint(tmp_path_factory.mktemp("whisper") / "tiny.pt", request.param)
    yield Transcriber(str(path))


@pytest.fixture
def transcriber(loaded: Transcriber) -> Transcriber:
    """Decodes greedily, whatever comes out."""
    loaded.guards = GREEDY
    return loaded


@pytest.fixture
def guarded(loaded: Transcriber) -> Transcriber:
    """Takes part of what the test model says, refuses part of it once and part of it always."""
    limit = 2.4 if loaded.model.is_multilingual else 1.6
    loaded.guards = Guards((0.0, 0.4, 0.8), compression_ratio_threshold=limit)
    return loaded


def by_id(transcripts: Iterator[Transcript]) -> dict[str, Transcript]:
    return {transcript.id: transcript for transcript in transcripts}


def clip(seconds: float, pitch: float) -> np.ndarray:
    time = np.arange(int(16000 * seconds)) / 16000
    return (0.3 * np.sin(2 * np.pi * pitch * time * (1 + 0.2 * np.sin(3 * time)))).astype("float32")


CPU = torch.device("cpu")
CLIPS = {f"u{i}": clip(0.3 + 0.7 * i, 150 + 97 * i) for i in range(6)}


LONG = clip(31, 220)


def test_a_batch_is_what_whisper_says_of_each_clip_alone(transcriber: Transcriber) -> None:
    untouched = whisper.load_model(transcriber.name)
    batch = by_id(transcriber(CLIPS))
    assert batch.keys() == CLIPS.keys()
    assert len({record.text for record in batch.values()}) > 3, "the test model must listen"
    for record in batch.values():
        mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(CLIPS[record.id]))
        options = whisper.DecodingOptions(
            language=record.language, fp16=False, without_timestamps=True
        )
        reference = whisper.decode(untouched, mel, options)
        assert record.text == " ".join(reference.text.split())
        for score in ("avg_logprob", "no_speech_prob", "compression_ratio"):
            assert getattr(record, score) == pytest.approx(getattr(reference, score), abs=1e-4)
        assert record.duration == len(CLIPS[record.id]) / 16000
        assert record.temperature == 0.0


def same(ours: Transcript, theirs: Transcript) -> bool:
    """Alike but for the last digits of the scores."""
    for score in ("avg_logprob", "no_speech_prob", "compression_ratio"):
        assert getattr(ours, score) == pytest.approx(getattr(theirs, score), abs=1e-4)
    scores = {"avg_logprob": 0.0, "no_speech_prob": 0.0, "compression_ratio": 0.0}
    return replace(ours, **scores) == replace(theirs, **scores)


def test_what_is_decoded_together_changes_nothing(guarded: Transcriber) -> None:
    clips = {"long": LONG, **CLIPS}
    alone = {id: next(guarded({id: samples})) for id, samples in clips.items()}
    passed = {record.temperature for record in alone.values() if record.verdict == "speech"}
    assert len(passed | {0.0}) > 2, "some must fall back"
    assert {"repetitive", "speech"} <= {record.verdict for record in alone.values()}
    assert alone["long"].temperature > 0
    ids = list(reversed(clips))
    batches = [{id: clips[id] for id in part} for part in (ids[:5], ids[5:])]
    together = by_id(record for batch in batches for record in guarded(batch))
    assert together.keys() == clips.keys()
    assert all(same(together[id], alone[id]) for id in clips)


def test_what_is_left_of_a_batch_is_what_it_was(guarded: Transcriber) -> None:
    clips = {"long": LONG, **CLIPS}
    whole = by_id(guarded(clips))
    for wanted in (["u3", "long"], ["u0", "u1", "u5"]):
        part = by_id(guarded(clips, wanted))
        assert part == {id: whole[id] for id in wanted}


@pytest.mark.parametrize("multilingual", [False, True])
def test_nothing_is_computed_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, multilingual: bool
) -> None:
    """Neither for the detection of the language nor for further temperatures."""
    seen: Counter[torch.nn.Module] = Counter()
    forward = whisper.model.Linear.forward

    def counted(layer: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        seen[layer] += x.shape[0] if x.shape[1] == 1500 else 0
        return forward(layer, x)

    monkeypatch.setattr(whisper.model.Linear, "forward", counted)
    path = write_checkpoint(tmp_path / "tiny.pt", multilingual)
    transcriber = Transcriber(str(path), guards=Guards((0.0, 0.5, 1.0), logprob_threshold=-1e-6))
    assert {record.temperature for record in transcriber(CLIPS)} == {1.0}
    (encoder,), (decoder,) = transcriber.model.encoder.blocks, transcriber.model.decoder.blocks
    assert seen[encoder.attn.query] == seen[encoder.mlp[0]] == len(CLIPS)
    # Once in the batch, and once for all that is sampled of each clip.
    assert seen[decoder.cross_attn.key] == seen[decoder.cross_attn.value] == 2 * len(CLIPS)


def test_halving_changes_nothing_in_half_precision(transcriber: Transcriber) -> None:
    mels = torch.stack([transcriber._mel(samples) for samples in CLIPS.values()])
    options = whisper.DecodingOptions(language="en", fp16=True)
    model = whisper.load_model(transcriber.name)
    single = whisper.decode(model, mels, options)
    _halve(model)
    assert {weight.dtype for weight in model.parameters() if weight.numel() > 32 * 32} == {
        torch.float16
    }
    for before, after in zip(single, whisper.decode(model, mels, options), strict=True):
        assert torch.equal(before.audio_features, after.audio_features)
        assert before.tokens == after.tokens
        assert before.avg_logprob == after.avg_logprob
        assert before.no_speech_prob == after.no_speech_prob


def test_falling_back_is_whispers_own(
    guarded: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip's first window, decoded without timestamps by whisper's `transcribe`."""
    monkeypatch.setattr("sermtl.transcription.whisper._seeded", lambda *_: _seeded("", CPU))
    decode, seen = guarded.model.decode, []

    def untimed(window: torch.Tensor, options: whisper.DecodingOptions) -> whisper.DecodingResult:
        with _seeded("", CPU):
            result = decode(window, replace(options, without_timestamps=True))
        seen.append(result.temperature)
        return result

    monkeypatch.setattr(guarded.model, "decode", untimed)
    for id, record in by_id(guarded(CLIPS)).items():
        seen.clear()
        reference = guarded.model.transcribe(
            whisper.pad_or_trim(CLIPS[id]),
            language=record.language,
            fp16=False,
            temperature=guarded.guards.temperatures,
            compression_ratio_threshold=guarded.guards.compression_ratio_threshold,
        )
        assert record.text == " ".join(reference["text"].split())
        assert record.temperature == seen[-1]
        assert seen == list(guarded.guards.temperatures[: len(seen)])


def test_sampling_leaves_the_random_numbers_alone(guarded: Transcriber) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    assert any(record.temperature for record in guarded({**CLIPS, "long": LONG}))
    assert torch.equal(torch.rand(3), expected)


def test_samples_depend_on_the_clips_name_and_the_temperature(loaded: Transcriber) -> None:
    loaded.guards = Guards(temperatures=(0.0, 0.9), compression_ratio_threshold=0.01)
    one, two = (next(loaded({id: CLIPS["u1"]})).text for id in ("one", "two"))
    assert one != two
    loaded.guards = replace(loaded.guards, temperatures=(0.0, 0.3, 0.9))
    assert next(loaded({"one": CLIPS["u1"]})).text == one


def test_silence_is_not_tried_again(loaded: Transcriber) -> None:
    # The test model finds all probabilities of no speech above 0, and everything improbable.
    loaded.guards = Guards(
        temperatures=(0.0, 1.0),
        compression_ratio_threshold=math.inf,
        logprob_threshold=-1e-6,
        no_speech_threshold=0.0,
    )
    for record in loaded({"long": LONG, **CLIPS}):
        assert (record.verdict, record.temperature) == ("silence", 0.0)
        assert bool(record.text) == (record.id != "long")  # whisper skips silent windows
    loaded.guards = replace(loaded.guards, no_speech_threshold=1.0)
    assert {r.verdict for r in loaded(CLIPS)} == {"improbable"}


def test_each_clip_gets_its_own_language(transcriber: Transcriber) -> None:
    if not transcriber.model.is_multilingual:
        assert {record.language for record in transcriber(CLIPS)} == {"en"}
        return
    for record in transcriber(CLIPS):
        mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(CLIPS[record.id]))
        _, probabilities = whisper.detect_language(transcriber.model, mel)
        assert record.language == max(probabilities, key=probabilities.get)


def test_long_clips_go_through_windows(guarded: Transcriber) -> None:
    long = by_id(guarded({**CLIPS, "long": LONG}))["long"]
    with _seeded("long", CPU):
        reference = guarded.model.transcribe(
            LONG,
            language=None if guarded.model.is_multilingual else "en",
            temperature=guarded.guards.temperatures,
            compression_ratio_threshold=guarded.guards.compression_ratio_threshold,
            condition_on_previous_text=False,
            fp16=False,
        )
    windows = [segment for segment in reference["segments"] if segment["tokens"]]
    assert len({window["seek"] for window in windows}) > 1
    assert long.text == " ".join(reference["text"].split()) != ""
    assert long.duration == 31
    assert long.language == reference["language"]
    assert long.avg_logprob == min(window["avg_logprob"] for window in windows)
    for score in ("temperature", "no_speech_prob", "compression_ratio"):
        assert getattr(long, score) == max(window[score] for window in windows)


def test_one_bad_window_spoils_a_long_clip(
    transcriber: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = {"tokens": [1], "temperature": 0.0, "no_speech_prob": 0.0}
    good = {**window, "avg_logprob": -0.1, "compression_ratio": 1.0}
    bad = {**window, "avg_logprob": -3.0, "compression_ratio": 1.0}
    cleared = {**bad, "tokens": []}
    for windows, verdict in (([good, bad], "improbable"), ([cleared, good], "speech")):
        result = {"text": "words", "segments": windows, "language": "en"}
        monkeypatch.setattr(transcriber.model, "transcribe", lambda *_, r=result, **__: r)
        assert next(transcriber({"long": LONG})).verdict == verdict


def test_a_long_clip_without_speech(
    transcriber: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = {"text": "", "segments": [], "language": "en"}
    monkeypatch.setattr(transcriber.model, "transcribe", lambda *_, **__: nothing)
    (record,) = transcriber({"long": clip(31, 300)})
    assert record.verdict == "silence" and record.avg_logprob is None
    assert b'"avg_logprob": null' in record.to_line()


def test_languages(tmp_path: Path) -> None:
    english = write_checkpoint(tmp_path / "english.pt")
    with pytest.raises(UserError, match="English only"):
        Transcriber(str(english), language="pl")
    many = str(write_checkpoint(tmp_path / "many.pt", multilingual=True))
    assert {record.language for record in Transcriber(many, language="pl")(CLIPS)} == {"pl"}
    with pytest.raises(UserError, match=r"--whisper_language polish: use auto or one of af .* pl "):
        Transcriber(many, language="polish")


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    class Malice:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "touched",)

    path = tmp_path / "malice.pt"
    torch.save({"dims": Malice(), "model_state_dict": {}}, path)
    with pytest.raises(UserError, match=r"malice\.pt: damaged, or no weights"):
        Transcriber(str(path))
    path.write_bytes(pickle.dumps(Malice(), protocol=2))
    with pytest.raises(UserError, match=r"malice\.pt: damaged, or no weights"):
        Transcriber(str(path))
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("damage", ["empty", "cut", "audio", "other", "smaller"])
def test_damaged_checkpoints_are_named(tmp_path: Path, damage: str) -> None:
    path = write_checkpoint(tmp_path / "tiny.pt")
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:100_000])
    elif damage == "audio":
        path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(64))
    elif damage == "other":
        torch.save({"weight": torch.zeros(3)}, path)
    else:
        checkpoint = torch.load(path, weights_only=True)
        checkpoint["dims"]["n_audio_layer"] = 2
        torch.save(checkpoint, path)
    with pytest.raises(UserError, match=r"tiny\.pt.* a Whisper checkpoint in OpenAI"):
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
