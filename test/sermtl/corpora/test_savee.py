from collections import Counter

import pytest

from sermtl.corpora.savee import load
from sermtl.data.labels import load_labels
from sermtl.errors import UserError

SPEAKERS = ["DC", "JE", "JK", "KL"]
CLIPS = [
    f"{code}{i:02d}"
    for code in ("a", "d", "f", "h", "n", "sa", "su")
    for i in range(1, 31 if code == "n" else 16)
]


@pytest.fixture
def labels(root):
    return load_labels(root / "egs" / "savee" / "labels.yaml")


@pytest.fixture(params=["original", "flat"])
def corpus(tmp_path, request):
    """Both layouts that are around."""
    folder = tmp_path / "SAVEE" / ("AudioData" if request.param == "original" else "ALL")
    for speaker in SPEAKERS:
        separator = "/" if request.param == "original" else "_"
        for clip in CLIPS:
            file = folder / f"{speaker}{separator}{clip}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    (folder / "Info.txt").touch()
    return tmp_path / "SAVEE"


def file_of(corpus, speaker, clip):
    ends = (f"{speaker}/{clip}.wav", f"{speaker}_{clip}.wav")
    return next(file for file in corpus.rglob("*.wav") if str(file).endswith(ends))


def test_both_layouts_are_one_corpus(corpus, labels, tmp_path):
    found = load(labels, tmp_path, str(corpus))
    assert found.notes == []
    assert {u.id for u in found.utterances} == {f"savee{s}-{c}" for s in SPEAKERS for c in CLIPS}
    assert len(found.utterances) == 480
    assert Counter(u.emotion for u in found.utterances) == {
        **dict.fromkeys(["anger", "disgust", "fear", "happiness", "sadness", "surprise"], 60),
        "neutral": 120,
    }
    u = next(u for u in found.utterances if u.id == "saveeJK-sa03")
    assert (u.emotion, u.gender, u.speaker, u.split, u.text) == (
        "sadness",
        "male",
        "saveeJK",
        "JK",
        None,
    )
    assert u.audio == str(file_of(corpus, "JK", "sa03"))
    assert len({u.audio for u in found.utterances}) == 480


def test_one_speaker_is_left_out_and_another_validates(corpus, labels, tmp_path):
    folds = load(labels, tmp_path, str(corpus)).folds
    assert {k: (f.train, f.valid, f.test) for k, f in folds.items()} == {
        "1": (["JK", "KL"], ["JE"], ["DC"]),
        "2": (["DC", "KL"], ["JK"], ["JE"]),
        "3": (["DC", "JE"], ["KL"], ["JK"]),
        "4": (["JE", "JK"], ["DC"], ["KL"]),
    }


def test_what_differs_from_the_published_is_told(corpus, labels, tmp_path):
    file_of(corpus, "DC", "su07").unlink()
    assert load(labels, tmp_path, str(corpus)).notes == [
        "emotion su has 59 clips, 60 are published"
    ]


@pytest.mark.parametrize("clip", ["s01", "a1", "x01", "JE_a01"])
def test_a_strange_name(corpus, labels, tmp_path, clip):
    file = file_of(corpus, "DC", "a01")
    file.rename(file.with_name(file.name.replace("a01", clip)))
    with pytest.raises(UserError, match=rf"{clip}\.wav: not the name"):
        load(labels, tmp_path, str(corpus))


def test_two_copies(corpus, labels, tmp_path):
    file = file_of(corpus, "DC", "a01")
    copy = corpus / "copy" / file.parent.name / file.name
    copy.parent.mkdir(parents=True)
    copy.touch()
    with pytest.raises(UserError, match=r"is also at .* one copy"):
        load(labels, tmp_path, str(corpus))


def test_a_speaker_is_missing(corpus, labels, tmp_path):
    for clip in CLIPS:
        file_of(corpus, "KL", clip).unlink()
    with pytest.raises(UserError, match=r"no KL/\*\.wav or KL_\*\.wav below .*--savee_root"):
        load(labels, tmp_path, str(corpus))
