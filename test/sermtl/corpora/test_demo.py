import shutil
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sermtl.corpora import demo
from sermtl.corpora.demo import SENTENCES, SHARES, STYLES, load, plan
from sermtl.data.labels import load_labels
from sermtl.errors import UserError

pytest.importorskip("espeakng_loader", reason="needs the extra demo")
SIZE = 100


@pytest.fixture(scope="module")
def labels(root):
    return load_labels(root / "egs" / "demo" / "labels.yaml")


@pytest.fixture(scope="module")
def spoken(labels, tmp_path_factory):
    """A small corpus and the data folder it lies in; a test that changes it takes a copy."""
    folder = tmp_path_factory.mktemp("data")
    return load(labels, folder, str(SIZE)), folder


@pytest.fixture
def copy(spoken, tmp_path):
    """A copy of the spoken corpus's data folder."""
    return Path(shutil.copytree(spoken[1], tmp_path / "data"))


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_classes_are_the_recipes(labels):
    assert list(labels.classes) == list("AHSFUCDN")
    assert set(labels.classes) == set(STYLES) == set(SHARES)


def test_sentences():
    assert len(set(SENTENCES)) == len(SENTENCES) == 60
    assert all(3 <= len(sentence.split()) <= 8 for sentence in SENTENCES)


@pytest.mark.parametrize("size", [100, 103, 112, 128, 199, 500, 1200])
def test_every_size_has_every_class(size):
    plans = plan(size, 0)
    assert len(plans) == len({p.id for p in plans}) == size
    for split, share in demo.SETS.items():
        counts = Counter(p.emotion for p in plans if p.split == split)
        assert counts.total() == pytest.approx(size * share, abs=1)
        assert set(counts) == set(SHARES)
        assert counts["N"] == max(counts.values())


def test_training_counts_have_msp_podcasts_tail():
    counts = Counter(p.emotion for p in plan(1200, 0) if p.split == "train")
    assert [e for e, _ in counts.most_common()] == sorted(SHARES, key=SHARES.get, reverse=True)
    for emotion, share in SHARES.items():
        expected = counts.total() * share / sum(SHARES.values())
        assert counts[emotion] == pytest.approx(expected, abs=2)


def test_speakers():
    plans = plan(1200, 0)
    splits, genders = defaultdict(set), defaultdict(set)
    for p in plans:
        splits[p.speaker].add(p.split)
        genders[p.speaker].add(p.gender)
    assert all(len(known) == 1 for known in (*splits.values(), *genders.values()))
    for split, number in demo.SPEAKERS.items():
        own = [speaker for speaker in splits if splits[speaker] == {split}]
        assert len(own) == number
        assert sum(genders[speaker] == {"female"} for speaker in own) == number // 2


def test_words_do_not_tell_the_emotion():
    plans = plan(1200, 0)
    said = {e: {p.text for p in plans if p.emotion == e} for e in "NH"}
    assert said["N"] == said["H"] == set(SENTENCES)


def test_seeds():
    assert plan(SIZE, 3) == plan(SIZE, 3)
    assert {p.text + p.voice for p in plan(SIZE, 3)} != {p.text + p.voice for p in plan(SIZE, 4)}


def test_utterances(spoken):
    corpus, folder = spoken
    assert len(corpus.utterances) == SIZE
    assert corpus.folds == {} and "not real speech" in corpus.notes[0]
    for u in corpus.utterances:
        assert u.id.startswith(u.speaker) and u.speaker.startswith(u.split)
        assert u.emotion in SHARES and u.gender in ("female", "male") and u.text in SENTENCES
        assert Path(u.audio).is_relative_to(folder / "audio")
        samples, rate = soundfile.read(u.audio)
        assert rate == 22050 and samples.ndim == 1
        assert 0.5 < len(samples) / rate < 5
        assert 0.01 < np.abs(samples).max() <= 1


def test_a_second_call_speaks_nothing(spoken, labels, monkeypatch):
    corpus, folder = spoken
    monkeypatch.setattr(demo, "_speak", lambda todo: pytest.fail("spoke again"))
    assert load(labels, folder, str(SIZE)) == corpus


def test_what_is_missing_is_spoken_again_alike(spoken, labels, copy):
    before = contents(copy)
    next(copy.rglob("valid00-*.wav")).unlink()
    load(labels, copy, str(SIZE))
    assert contents(copy) == before


def test_a_killed_run_continues(labels, copy, monkeypatch):
    """What a kill leaves: some chunks complete, another one without its record."""
    before = contents(copy)
    monkeypatch.setattr(demo, "CHUNK", 50)
    load(labels, copy, str(SIZE))  # in two chunks
    complete = {p: p.stat().st_mtime_ns for p in copy.rglob("*.wav")}
    (next(copy.rglob("chunk1.json"))).unlink()
    load(labels, copy, str(SIZE))
    kept = [p for p, time in complete.items() if p.stat().st_mtime_ns == time]
    assert len(kept) == 50
    assert set(before) < set(contents(copy))


def test_changed_styles_are_spoken_again(labels, copy, monkeypatch):
    before = contents(copy)
    monkeypatch.setitem(STYLES, "N", replace(STYLES["N"], gain=-6.0))
    corpus = load(labels, copy, str(SIZE))
    after = contents(copy)
    for u in corpus.utterances:
        path = Path(u.audio).relative_to(copy)
        assert u.emotion != "N" or after[path] != before[path]


def test_another_seed_has_its_own_audio(labels, copy):
    before = contents(copy)
    corpus = load(labels, copy, str(SIZE), "1")
    after = contents(copy)
    assert all(after[path] == content for path, content in before.items())
    assert not {Path(u.audio).relative_to(copy) for u in corpus.utterances} & set(before)


def test_a_process_that_dies(labels, tmp_path):
    """Its folder is a file, so that every process fails: an error, no endless wait."""
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / f"{SIZE}-0").touch()
    with pytest.raises(FileExistsError, match=f"{SIZE}-0"):
        load(labels, tmp_path, str(SIZE))


@pytest.mark.parametrize("size, seed", [("99", "0"), ("many", "0"), ("-100", "0"), ("100", "x")])
def test_options(labels, tmp_path, size, seed):
    with pytest.raises(UserError, match=f"not {size} and {seed}"):
        load(labels, tmp_path, size, seed)
    assert not list(tmp_path.iterdir())


def test_emotions_sound_as_designed():
    """Sentences of one speaker in each style, without noise: loudness, pace and brightness."""
    plans = plan(1200, 0)
    base = next(p for p in plans if p.gender == "male")
    measured = {}
    for emotion, style in STYLES.items():
        values = []
        for text in SENTENCES[:4]:
            sound = demo._sound(
                replace(
                    base,
                    text=text,
                    rate=round(165 * style.rate),
                    pitch=48 + style.pitch,
                    pitch_range=int(min(99, 50 * style.pitch_range)),
                    gain=style.gain,
                    word_gap=style.word_gap,
                    tremor=style.tremor,
                    tilt=style.tilt,
                    noise=60,
                )
            )
            spectrum = np.abs(np.fft.rfft(sound)) ** 2
            high = spectrum[len(spectrum) // 5 :].sum() / spectrum.sum()
            values.append((10 * np.log10(np.mean(sound**2)), len(sound), np.log(high)))
        measured[emotion] = np.mean(values, axis=0)
    relative = {e: values - measured["N"] for e, values in measured.items()}
    for emotion, style in STYLES.items():
        level, length, brightness = relative[emotion]
        assert level == pytest.approx(style.gain, abs=2)  # dB
        if style.rate < 0.9 or style.rate > 1.1:
            assert (length > 0) == (style.rate < 1), emotion
        if abs(style.tilt) >= 0.5:
            assert (brightness > 0) == (style.tilt > 0), emotion
