from collections import Counter

import pytest

from sermtl.corpora.crema_d import load
from sermtl.data.labels import load_labels
from sermtl.errors import UserError

EMOTIONS = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
CLIPS = [("IEO", emotion, "HI") for emotion in EMOTIONS] + [("WSI", "NEU", "XX")]
HEADER = '"ActorID","Age","Sex","Race","Ethnicity"\n'


@pytest.fixture
def labels(root):
    return load_labels(root / "egs" / "crema_d" / "labels.yaml")


def sex(actor):
    """Made up: every third actor is a man."""
    return "male" if actor % 3 == 0 else "female"


def write_demographics(path, actors):
    rows = (f'{a},51,"{sex(a).capitalize()}","Caucasian","Not Hispanic"\n' for a in actors)
    path.write_text(HEADER + "".join(rows))


@pytest.fixture
def corpus(tmp_path):
    """The repository's layout, with a few clips of each actor."""
    folder = tmp_path / "CREMA-D"
    (folder / "AudioWAV").mkdir(parents=True)
    (folder / "AudioMP3").mkdir()
    (folder / "AudioMP3" / "1001_IEO_ANG_HI.mp3").touch()
    for actor in range(1001, 1092):
        for sentence, emotion, level in CLIPS:
            (folder / "AudioWAV" / f"{actor}_{sentence}_{emotion}_{level}.wav").touch()
    (folder / "AudioWAV" / "1040_ITH_SAD_X.wav").touch()
    write_demographics(folder / "VideoDemographics.csv", range(1001, 1092))
    return folder


def test_official_layout(corpus, labels, tmp_path):
    found = load(labels, tmp_path, str(corpus))
    assert len(found.utterances) == 91 * 7 + 1
    counts = Counter(u.emotion for u in found.utterances)
    assert counts == {
        **dict.fromkeys(["anger", "disgust", "fear", "happiness"], 91),
        "neutral": 182,
        "sadness": 92,
    }
    assert len({u.speaker for u in found.utterances}) == 91
    by_id = {u.id: u for u in found.utterances}
    u = by_id["crema_d1040-1040_ITH_SAD_X"]  # a level that was published with one X
    assert (u.emotion, u.gender, u.speaker, u.text) == (
        "sadness",
        "female",
        "crema_d1040",
        "I think I have a doctor's appointment.",
    )
    u = by_id["crema_d1002-1002_WSI_NEU_XX"]
    assert (u.gender, u.text) == ("male", "We'll stop in a couple of minutes.")
    assert u.audio == str(corpus / "AudioWAV" / "1002_WSI_NEU_XX.wav")


def test_folds(corpus, labels, tmp_path):
    found = load(labels, tmp_path, str(corpus))
    actors = {}
    for u in found.utterances:
        actors.setdefault(u.split, set()).add(int(u.speaker[-4:]))
    assert {name: len(members) for name, members in actors.items()} == {
        "fold1": 19,
        "fold2": 18,
        "fold3": 18,
        "fold4": 18,
        "fold5": 18,
    }
    assert {1001, 1006, 1091} <= actors["fold1"] and 1005 in actors["fold5"]
    for k in range(1, 6):
        fold = found.folds[str(k)]
        assert (fold.test, fold.valid) == ([f"fold{k}"], [f"fold{k % 5 + 1}"])
        assert sorted([*fold.train, *fold.valid, *fold.test]) == [f"fold{n}" for n in range(1, 6)]


def test_what_differs_from_the_published_is_told(corpus, labels, tmp_path):
    assert load(labels, tmp_path, str(corpus)).notes == [
        "emotion ANG has 91 clips, 1271 are published",
        "emotion DIS has 91 clips, 1271 are published",
        "emotion FEA has 91 clips, 1271 are published",
        "emotion HAP has 91 clips, 1271 are published",
        "emotion SAD has 92 clips, 1271 are published",
        "emotion NEU has 182 clips, 1087 are published",
    ]


def test_no_table_of_the_actors(corpus, labels, tmp_path):
    """As in copies that hold the audio alone."""
    with pytest.raises(
        UserError, match=r"no VideoDemographics\.csv \(get it from https://github\.com/Chey"
    ):
        load(labels, tmp_path, str(corpus / "AudioWAV"))


def test_the_table_may_lie_with_the_audio(corpus, labels, tmp_path):
    table = corpus / "VideoDemographics.csv"
    table.rename(corpus / "AudioWAV" / table.name)
    assert len(load(labels, tmp_path, str(corpus / "AudioWAV")).utterances) == 91 * 7 + 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"VideoDemographics\.csv:1: the file is empty"),
        ("ActorID,Age\n1001,51\n", r"VideoDemographics\.csv:1: the header has no .*'Age'"),
        (HEADER + "1001,51\n", r"VideoDemographics\.csv:2: 2 fields, the header has 5"),
        (HEADER + "1001,51,X,a,b\n", r"VideoDemographics\.csv:2: gender must be .* 'X'"),
        (HEADER + "1001,51,Male,a,b\n", r"1002_\w+\.wav: VideoDemographics\.csv has no actor 1002"),
    ],
)
def test_a_broken_table(corpus, labels, tmp_path, content, message):
    (corpus / "VideoDemographics.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        load(labels, tmp_path, str(corpus))


@pytest.mark.parametrize(
    "name",
    ["1001_IEO_ANG", "1092_IEO_ANG_HI", "1000_IEO_ANG_HI", "1001_XYZ_ANG_HI", "1001_IEO_CAL_HI"],
)
def test_a_strange_name(corpus, labels, tmp_path, name):
    (corpus / "AudioWAV" / f"{name}.wav").touch()
    with pytest.raises(UserError, match=rf"{name}\.wav: not the name"):
        load(labels, tmp_path, str(corpus))


def test_no_corpus_there(labels, tmp_path):
    with pytest.raises(UserError, match=r"no AudioWAV/\*.wav below .*--crema_d_root"):
        load(labels, tmp_path, str(tmp_path))


def test_too_few_actors(corpus, labels, tmp_path):
    for file in (corpus / "AudioWAV").glob("*.wav"):
        if not file.name.startswith("1003"):
            file.unlink()
    with pytest.raises(UserError, match=r"lacks whole folds.* fold1, fold2, fold4, fold5$"):
        load(labels, tmp_path, str(corpus))
