from collections import Counter
from itertools import product

import pytest

from sermtl.corpora.ravdess import load
from sermtl.data.labels import load_labels
from sermtl.errors import UserError


@pytest.fixture
def labels(root):
    return load_labels(root / "egs" / "ravdess" / "labels.yaml")


def clips(actor):
    """Names of all of an actor's clips: neutral is never strong."""
    for fields in product(range(1, 9), (1, 2), (1, 2), (1, 2)):
        if fields[:2] != (1, 2):
            yield "-".join(f"{field:02d}" for field in (3, 1, *fields, actor))


@pytest.fixture(params=["", "Audio_Speech_Actors_01-24"])
def corpus(tmp_path, request):
    """The official layout, with and without the archive's own folder."""
    folder = tmp_path / "my corpora" / request.param
    for actor in range(1, 25):
        (folder / f"Actor_{actor:02d}").mkdir(parents=True)
        for name in clips(actor):
            (folder / f"Actor_{actor:02d}" / f"{name}.wav").touch()
    return tmp_path / "my corpora"


def test_official_layout(corpus, labels, tmp_path):
    found = load(labels, tmp_path, str(corpus))
    assert len(found.utterances) == 1440
    assert found.notes == []
    counts = Counter(u.emotion for u in found.utterances)
    assert counts == {name: 96 if name == "neutral" else 192 for name in labels.classes}
    assert Counter(u.gender for u in found.utterances) == {"male": 720, "female": 720}
    u = next(u for u in found.utterances if "03-01-06-01-02-01-12" in u.id)
    assert (u.emotion, u.gender, u.text) == (
        "fearful",
        "female",
        "Dogs are sitting by the door.",
    )


def test_folds(corpus, labels, tmp_path):
    found = load(labels, tmp_path, str(corpus))
    actors = {}
    for u in found.utterances:
        actors.setdefault(u.split, set()).add(int(u.speaker[-2:]))
    for k in range(1, 6):
        fold = found.folds[str(k)]
        assert fold.test == [f"fold{k}"]
        assert actors[fold.test[0]] == {a for a in range(1, 25) if (a - 1) % 5 == k - 1}
        assert fold.valid == found.folds[str(k % 5 + 1)].test
        assert sorted([*fold.train, *fold.valid, *fold.test]) == [f"fold{n}" for n in range(1, 6)]


def test_what_differs_from_the_published_is_told(corpus, labels, tmp_path):
    next(corpus.rglob("03-01-05-*.wav")).unlink()
    folder = next(corpus.rglob("Actor_03"))
    (folder / "03-02-02-01-01-01-03.wav").touch()
    notes = load(labels, tmp_path, str(corpus)).notes
    assert notes == [
        "1 clips that aren't audio-only speech are left out",
        "emotion 05 has 191 clips, 192 are published",
    ]


def test_a_strange_name(corpus, labels, tmp_path):
    (next(corpus.rglob("Actor_03")) / "03-01-09-01-01-01-03.wav").touch()
    with pytest.raises(UserError, match=r"03-01-09-01-01-01-03\.wav: not the name"):
        load(labels, tmp_path, str(corpus))


def test_two_copies(corpus, labels, tmp_path):
    copy = corpus / "copy" / "Actor_01"
    copy.mkdir(parents=True)
    (copy / "03-01-01-01-01-01-01.wav").touch()
    with pytest.raises(UserError, match=r"is also at .* one copy"):
        load(labels, tmp_path, str(corpus))


def test_no_corpus_there(labels, tmp_path):
    with pytest.raises(UserError, match=r"no Actor_XX/\*.wav below .*--ravdess_root"):
        load(labels, tmp_path, str(tmp_path))


def test_too_few_actors(labels, tmp_path):
    (tmp_path / "Actor_01").mkdir()
    (tmp_path / "Actor_01" / "03-01-01-01-01-01-01.wav").touch()
    with pytest.raises(UserError, match="lacks whole folds"):
        load(labels, tmp_path, str(tmp_path))


def test_the_real_one(shared, labels, tmp_path):
    found = load(labels, tmp_path, str(shared / "corpora" / "ravdess"))
    assert len(found.utterances) == 1440
    assert found.notes == []
