import shutil
from collections import Counter

import pytest

from sermtl.corpora.esd import load
from sermtl.data.labels import load_labels
from sermtl.errors import UserError

WOMEN = ["0001", "0002", "0003", "0007", "0009", "0015", "0016", "0017", "0018", "0019"]
EMOTIONS = {  # folder, Mandarin word and class, in the order of the clips' numbers
    "Neutral": ("中立", "neutral"),
    "Angry": ("生气", "anger"),
    "Happy": ("快乐", "happiness"),
    "Sad": ("伤心", "sadness"),
    "Surprise": ("惊喜", "surprise"),
}
ENGLISH = "I don’t know, Ann said."
MANDARIN = "打远一看，它们的确很是美丽，"


@pytest.fixture
def labels(root):
    return load_labels(root / "egs" / "esd" / "labels.yaml")


def lines(speaker):
    """A speaker's text file: one clip in each emotion."""
    for i, (emotion, (word, _)) in enumerate(EMOTIONS.items()):
        text, label = (MANDARIN, word) if speaker <= "0010" else (ENGLISH, emotion)
        yield f"{speaker}_{350 * i + 1:06d}\t{text}\t{label}"


def write(folder, speaker, content, encoding="utf-8"):
    (folder / speaker / f"{speaker}.txt").write_bytes(content.encode(encoding))


@pytest.fixture(params=["", "Emotion Speech Dataset"])
def folder(tmp_path, request):
    """The published layout, with and without the archive's own folder."""
    folder = tmp_path / "my corpora" / request.param
    for number in range(1, 21):
        speaker = f"{number:04d}"
        for i, emotion in enumerate(EMOTIONS):
            (folder / speaker / emotion).mkdir(parents=True)
            (folder / speaker / emotion / f"{speaker}_{350 * i + 1:06d}.wav").touch()
        write(folder, speaker, "\r\n".join(lines(speaker)) + "\r\n")
    (folder / "0001" / "Angry" / "._0001_000351.wav").touch()
    (folder / "ReadMe.txt").touch()
    return folder


def read(folder, labels, language="english"):
    return load(labels, folder, str(folder), language)


def counted(language):
    """The notes on counts: there are five clips of each speaker."""
    numbers = {"mandarin": range(1, 11), "english": range(11, 21), "all": range(1, 21)}[language]
    n = len(numbers)
    return {f"speaker {i:04d} has 5 clips, 1750 are published" for i in numbers} | {
        f"emotion {e} has {n} clips, {350 * n} are published" for e in EMOTIONS
    }


@pytest.mark.parametrize("language", ["english", "mandarin", "all"])
def test_published_layout(folder, labels, language):
    found = read(folder, labels, language)
    size = 100 if language == "all" else 50
    assert len(found.utterances) == size
    others = {"50 clips of the other language are left out"} if size == 50 else set()
    assert set(found.notes) == counted(language) | others
    assert Counter(u.emotion for u in found.utterances) == dict.fromkeys(labels.classes, size // 5)
    for u in found.utterances:
        speaker = u.speaker.removeprefix("esd")
        assert u.gender == ("female" if speaker in WOMEN else "male")
        assert u.text == (MANDARIN if speaker <= "0010" else ENGLISH)
        folder_of = u.audio.split("/")[-2]
        assert u.emotion == EMOTIONS[folder_of][1]
    assert {u.id for u in found.utterances} >= (
        {"esd0020-0020_000001"} if language != "mandarin" else {"esd0001-0001_001401"}
    )


@pytest.mark.parametrize("language", ["english", "mandarin", "all"])
def test_each_fold_has_a_woman_and_a_man_of_each_language(folder, labels, language):
    found = read(folder, labels, language)
    members = {}
    for u in found.utterances:
        members.setdefault(u.split, set()).add(u.speaker.removeprefix("esd"))
    expected = {
        "mandarin": [{"0001", "0004"}, {"0002", "0005"}, {"0003", "0006"}],
        "english": [{"0015", "0011"}, {"0016", "0012"}, {"0017", "0013"}],
    }
    expected["mandarin"] += [{"0007", "0008"}, {"0009", "0010"}]
    expected["english"] += [{"0018", "0014"}, {"0019", "0020"}]
    for k in range(1, 6):
        names = expected if language == "all" else [language]
        assert members[f"fold{k}"] == set().union(*(expected[name][k - 1] for name in names))
        fold = found.folds[str(k)]
        assert (fold.test, fold.valid) == ([f"fold{k}"], [f"fold{k % 5 + 1}"])
        assert sorted(fold.train + fold.valid + fold.test) == sorted(members)


def test_esds_own_split_is_looked_through(folder, labels):
    for i, clip in enumerate(sorted(folder.rglob("0*.wav"))):
        below = clip.parent / ("train", "evaluation", "test")[i % 3]
        below.mkdir(exist_ok=True)
        shutil.move(clip, below)
    found = read(folder, labels)
    assert Counter(u.emotion for u in found.utterances) == dict.fromkeys(labels.classes, 10)
    assert all(u.text == ENGLISH for u in found.utterances)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb2312", "gb18030"]
)
def test_encodings_of_text_files(folder, labels, encoding):
    for speaker in ("0003", "0016"):
        content = "\r\n".join(lines(speaker))
        write(folder, speaker, content, encoding)
    found = read(folder, labels, "all")
    assert {u.text for u in found.utterances if u.speaker == "esd0003"} == {MANDARIN}
    assert {u.text for u in found.utterances if u.speaker == "esd0016"} == {ENGLISH}


def test_an_encoding_that_is_none_of_them(folder, labels):
    content = "\n".join(lines("0016"))
    write(folder, "0016", content, "cp1252")  # ’t is a Chinese character in GB 18030
    with pytest.raises(UserError, match=r"0016\.txt:1: Chinese in English: save .* UTF-8"):
        read(folder, labels)
    (folder / "0016" / "0016.txt").write_bytes(b"0016_000001\t\xff\xff\tNeutral\n")
    with pytest.raises(UserError, match=r"0016\.txt: neither UTF-8"):
        read(folder, labels)


@pytest.mark.parametrize(
    "line",
    [
        "0013_000351 I never had a whooping cough.\tAngry",  # as published
        "0013_000351\tI never had a whooping cough.\t\tAngry",  # as published
        "0013_000351\tI never had a whooping cough. Angry",
        " 0013_000351\tI never had a whooping cough.\tAngry \t",
    ],
)
def test_spaces_for_tabs_and_too_many(folder, labels, line):
    content = [line if "_000351" in given else given for given in lines("0013")]
    write(folder, "0013", "\n".join(content) + "\n\n \n")
    found = read(folder, labels)
    text = next(u.text for u in found.utterances if u.id == "esd0013-0013_000351")
    assert text == "I never had a whooping cough."


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0013_000351\tNo emotion here.", r"0013\.txt:2: not a clip, its text and its emotion"),
        ("0013_000351\tYes.\tAnger", r"0013\.txt:2: not a clip"),
        ("0013_000351\tAngry", r"0013\.txt:2: not a clip"),
        ("13_351\tYes.\tAngry", r"0013\.txt:2: not a clip"),
        ("0013_000351\tYes.\tHappy", r"0013\.txt:2: Happy, but .*/Angry/0013_000351\.wav"),
        ("0013_000001\tYes.\tNeutral", r"0013\.txt:2: 0013_000001 is on line 1, too"),
    ],
)
def test_lines_that_are_wrong(folder, labels, line, message):
    content = [line if "_000351" in given else given for given in lines("0013")]
    write(folder, "0013", "\n".join(content))
    with pytest.raises(UserError, match=message):
        read(folder, labels)


def test_what_differs_from_the_published_is_told(folder, labels):
    (folder / "0011" / "Angry" / "0011_000351.wav").unlink()
    (folder / "0012" / "0012.txt").unlink()
    notes = set(read(folder, labels).notes) - counted("english")
    assert notes == {
        "50 clips of the other language are left out",
        "speaker 0011 has 4 clips, 1750 are published",
        "emotion Angry has 9 clips, 3500 are published",
        "5 clips aren't in their speaker's text file: their text is <unk>",
        "1 lines of text files have no clip",
    }


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("0011/Angry/0021_000351.wav", r"0021_000351\.wav: not the name"),
        ("0011/Angry/a.wav", r"a\.wav: not the name"),
        ("0011/Fear/0011_000352.wav", r"0011_000352\.wav: not in a folder 0011/<one of Angry"),
        ("0012/Angry/0011_000352.wav", r"0011_000352\.wav: not in a folder 0011/"),
        ("copy/0011/Angry/0011_000351.wav", "one copy"),
    ],
)
def test_clips_that_are_out_of_place(folder, labels, place, message):
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).touch()
    with pytest.raises(UserError, match=message):
        read(folder, labels)


def test_a_fold_without_speakers(folder, labels):
    for speaker in ("0015", "0011"):
        shutil.rmtree(folder / speaker)
    with pytest.raises(UserError, match=r"lacks whole folds: .* fold1"):
        read(folder, labels)


def test_no_corpus_and_no_language(labels, tmp_path):
    with pytest.raises(UserError, match=r"no 0001/Angry/\*.wav below .*--esd_root"):
        load(labels, tmp_path, str(tmp_path))
    with pytest.raises(UserError, match="english, mandarin or all, not 'German'"):
        load(labels, tmp_path, str(tmp_path), "German")
