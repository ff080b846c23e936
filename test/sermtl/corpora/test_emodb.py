from collections import Counter

import pytest

from sermtl.corpora.emodb import load
from sermtl.data.labels import load_labels
from sermtl.errors import UserError

SPEAKERS = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
TEXTS = ["a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10"]
PUBLISHED = {"W": 127, "L": 81, "E": 46, "A": 69, "F": 71, "T": 62, "N": 79}


@pytest.fixture
def labels(root):
    return load_labels(root / "egs" / "emodb" / "labels.yaml")


@pytest.fixture
def corpus(tmp_path):
    """The published counts, dealt to speakers, sentences and versions in turn."""
    (tmp_path / "download" / "wav").mkdir(parents=True)
    for emotion, count in PUBLISHED.items():
        for i in range(count):
            name = SPEAKERS[i % 10] + TEXTS[i // 10 % 10] + emotion + "abcd"[i // 100]
            (tmp_path / "download" / "wav" / f"{name}.wav").touch()
    return tmp_path / "download"


def test_official_layout(corpus, labels, tmp_path):
    found = load(labels, tmp_path, str(corpus))
    assert len(found.utterances) == 535
    assert found.notes == []
    assert Counter(u.emotion for u in found.utterances) == {
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "sadness": 62,
        "neutral": 79,
    }
    u = next(u for u in found.utterances if u.id == "emodb03-03a01Fa")
    assert (u.emotion, u.gender, u.speaker, u.split) == (
        "happiness",
        "male",
        "emodb03",
        "speaker03",
    )
    assert u.text == "Der Lappen liegt auf dem Eisschrank."
    assert u.audio == str(corpus / "wav" / "03a01Fa.wav")
    genders = {u.speaker[-2:]: u.gender for u in found.utterances}
    assert {s for s, gender in genders.items() if gender == "male"} == {
        "03",
        "10",
        "11",
        "12",
        "15",
    }
    texts = {u.text for u in found.utterances}
    assert len(texts) == 10 and any("Tüten" in text for text in texts)


def test_one_speaker_is_left_out_and_another_validates(corpus, labels, tmp_path):
    found = load(labels, tmp_path, str(corpus))
    assert list(found.folds) == [str(k) for k in range(1, 11)]
    assert (found.folds["1"].test, found.folds["1"].valid) == (["speaker03"], ["speaker08"])
    assert (found.folds["10"].test, found.folds["10"].valid) == (["speaker16"], ["speaker03"])
    for fold in found.folds.values():
        sets = [*fold.train, *fold.valid, *fold.test]
        assert sorted(sets) == [f"speaker{s}" for s in SPEAKERS]
    assert all(u.split == f"speaker{u.speaker[-2:]}" for u in found.utterances)


def test_models_without_boredom_have_no_answer_for_it(root, labels):
    other = load_labels(root / "egs" / "ravdess" / "labels.yaml")
    assert labels.into(other)["boredom"] is None
    assert labels.into(other)["happiness"] == "happy"


def test_what_differs_from_the_published_is_told(corpus, labels, tmp_path):
    next(corpus.rglob("*W?.wav")).unlink()
    (corpus / "wav" / "16b10Nc.wav").touch()
    assert load(labels, tmp_path, str(corpus)).notes == [
        "emotion W has 126 clips, 127 are published",
        "emotion N has 80 clips, 79 are published",
    ]


@pytest.mark.parametrize("name", ["07a01Fa", "03a03Fa", "03a01Xa", "03a01Faxx", "hello"])
def test_a_strange_name(corpus, labels, tmp_path, name):
    (corpus / "wav" / f"{name}.wav").touch()
    with pytest.raises(UserError, match=rf"{name}\.wav: not the name"):
        load(labels, tmp_path, str(corpus))


def test_laryngograms_beside_the_audio(corpus, labels, tmp_path):
    (corpus / "laryngo").mkdir()
    (corpus / "laryngo" / "03a01Fa.wav").touch()
    with pytest.raises(UserError, match=r"is also at"):
        load(labels, tmp_path, str(corpus))
    assert len(load(labels, tmp_path, str(corpus / "wav")).utterances) == 535


def test_no_corpus_there(labels, tmp_path):
    with pytest.raises(UserError, match=r"no wav/\*.wav below .*--emodb_root"):
        load(labels, tmp_path, str(tmp_path))


def test_a_speaker_is_missing(corpus, labels, tmp_path):
    for file in corpus.rglob("12*.wav"):
        file.unlink()
    with pytest.raises(UserError, match=r"lacks whole folds.* speaker12$"):
        load(labels, tmp_path, str(corpus))
