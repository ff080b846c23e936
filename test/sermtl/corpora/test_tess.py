from collections import Counter

import numpy as np
import pytest
import soundfile

from sermtl.bin import prepare
from sermtl.corpora.tess import load
from sermtl.data.audio import read_dump
from sermtl.data.datadir import read_data_dir
from sermtl.data.labels import load_labels
from sermtl.errors import UserError

FOLDERS = {  # as published, with its capitals
    "OAF": {"angry": "angry", "disgust": "disgust", "fear": "Fear", "happy": "happy",
            "neutral": "neutral", "ps": "Pleasant_surprise", "sad": "Sad"},
    "YAF": {"angry": "angry", "disgust": "disgust", "fear": "fear", "happy": "happy",
            "neutral": "neutral", "ps": "pleasant_surprised", "sad": "sad"},
}  # fmt: skip
WORDS = ["bite", *(f"word{i:03d}" for i in range(199))]  # in alphabetical order


@pytest.fixture
def labels(root):
    return load_labels(root / "egs" / "tess" / "labels.yaml")


@pytest.fixture
def corpus(tmp_path):
    """The published layout, with its misnamed clip."""
    folder = tmp_path / "TESS Toronto emotional speech set data"
    for speaker, emotions in FOLDERS.items():
        for emotion, name in emotions.items():
            (folder / f"{speaker}_{name}").mkdir(parents=True)
            for word in WORDS:
                (folder / f"{speaker}_{name}" / f"{speaker}_{word}_{emotion}.wav").touch()
    neutral = folder / "OAF_neutral"
    (neutral / "OAF_bite_neutral.wav").rename(neutral / "OA_bite_neutral.wav")
    return folder


def test_official_layout(corpus, labels, tmp_path):
    found = load(labels, tmp_path, str(corpus))
    assert len(found.utterances) == 2800
    assert found.notes == []
    assert Counter(u.emotion for u in found.utterances) == dict.fromkeys(labels.classes, 400)
    assert Counter(u.speaker for u in found.utterances) == {"tessOAF": 1400, "tessYAF": 1400}
    assert {u.gender for u in found.utterances} == {"female"}
    by_id = {u.id: u for u in found.utterances}
    u = by_id["tessYAF-YAF_word007_ps"]
    assert (u.emotion, u.speaker, u.text) == ("surprise", "tessYAF", "Say the word word007.")
    assert u.audio == str(corpus / "YAF_pleasant_surprised" / "YAF_word007_ps.wav")
    misnamed = by_id["tessOAF-OA_bite_neutral"]
    assert (misnamed.speaker, misnamed.emotion, misnamed.text) == (
        "tessOAF",
        "neutral",
        "Say the word bite.",
    )


def test_folds(corpus, labels, tmp_path):
    folds = load(labels, tmp_path, str(corpus)).folds
    assert {k: (f.train, f.valid, f.test) for k, f in folds.items()} == {
        "1": (["OAF_train"], ["OAF_valid"], ["YAF_train", "YAF_valid"]),
        "2": (["YAF_train"], ["YAF_valid"], ["OAF_train", "OAF_valid"]),
    }


def test_a_fifth_of_the_words_validates_in_all_emotions(corpus, labels, tmp_path):
    utterances = load(labels, tmp_path, str(corpus)).utterances
    assert Counter(u.split for u in utterances) == {
        "OAF_train": 1120,
        "OAF_valid": 280,
        "YAF_train": 1120,
        "YAF_valid": 280,
    }
    held_out = [word for i, word in enumerate(WORDS) if i % 5 == 4]
    for speaker in FOLDERS:
        texts = Counter(u.text for u in utterances if u.split == f"{speaker}_valid")
        assert texts == {f"Say the word {word}.": 7 for word in held_out}
    assert all(u.speaker == f"tess{u.split[:3]}" for u in utterances)


def test_what_differs_from_the_published_is_told(corpus, labels, tmp_path):
    (corpus / "YAF_sad" / "YAF_bite_sad.wav").unlink()
    assert load(labels, tmp_path, str(corpus)).notes == [
        "emotion sad has 399 clips, 400 are published"
    ]


def test_a_copy_that_holds_the_corpus_twice(corpus, labels, tmp_path):
    inner = corpus / corpus.name / "OAF_Fear"
    inner.mkdir(parents=True)
    (inner / "OAF_bite_fear.wav").touch()
    with pytest.raises(UserError, match=r"is also at .* one copy"):
        load(labels, tmp_path, str(corpus))


@pytest.mark.parametrize("name", ["MAF_bite_sad", "OAF_bite_calm", "OAF_sad", "OAF__sad"])
def test_a_strange_name(corpus, labels, tmp_path, name):
    (corpus / "OAF_Sad" / f"{name}.wav").touch()
    with pytest.raises(UserError, match=rf"{name}\.wav: not the name"):
        load(labels, tmp_path, str(corpus))


def test_no_corpus_there(labels, tmp_path):
    with pytest.raises(UserError, match=r"no OAF_\*\.wav and YAF_\*\.wav below .*--tess_root"):
        load(labels, tmp_path, str(tmp_path))


def test_a_speaker_is_missing(corpus, labels, tmp_path):
    for file in corpus.rglob("YAF_*.wav"):
        file.unlink()
    with pytest.raises(UserError, match=r"lacks whole folds: .* YAF_train, YAF_valid$"):
        load(labels, tmp_path, str(corpus))


def test_stage_1_resamples_from_the_odd_rate(tmp_path, root):
    """Clips of 1.5 s at 24,414 Hz are 24,000 samples at 16 kHz, with their pitch."""
    tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(36_621) / 24_414)  # 1 kHz
    folder = tmp_path / "TESS"
    folder.mkdir()
    for speaker in FOLDERS:
        for word in ("back", "bar", "base", "bath", "bean"):  # the fifth validates
            soundfile.write(folder / f"{speaker}_{word}_angry.wav", tone, 24_414)
    prepare.main(
        [
            *("--recipe", "tess", "--labels", str(root / "egs/tess/labels.yaml")),
            *("--datadir", str(tmp_path / "data"), "--dumpdir", str(tmp_path / "dump")),
            *("--nj", "1", "--corpus_args", f"tess_root={folder}"),
        ]
    )
    for name, count in {"OAF_train": 4, "OAF_valid": 1, "YAF_train": 4, "YAF_valid": 1}.items():
        dump = read_dump(tmp_path / "dump" / name)
        assert dump.lengths == [24_000] * count
        columns = read_data_dir(tmp_path / "dump" / name).columns
        assert set(columns["utt2dur"].values()) == {"1.500"}
    spectrum = np.abs(np.fft.rfft(dump.samples(dump.ids[0])))
    assert np.argmax(spectrum) == 1500  # bins of 2/3 Hz
