import subprocess
from collections import Counter

import numpy as np
import pytest

from sermtl.bin import prepare
from sermtl.corpora.emotiw2018 import load
from sermtl.data.audio import read_dump
from sermtl.data.datadir import read_data_dir
from sermtl.data.labels import load_labels
from sermtl.errors import UserError

TRAIN = {"Angry": 133, "Disgust": 74, "Fear": 81, "Happy": 150}
TRAIN |= {"Neutral": 144, "Sad": 117, "Surprise": 74}
VAL = {
    "Angry": 64,
    "Disgust": 40,
    "Fear": 46,
    "Happy": 63,
    "Neutral": 63,
    "Sad": 61,
    "Surprise": 46,
}


@pytest.fixture
def labels(root):
    return load_labels(root / "egs" / "emotiw2018" / "labels.yaml")


@pytest.fixture
def corpus(tmp_path):
    """The official layout, with a frame of a face among the clips."""
    folder = tmp_path / "my corpora" / "AFEW"
    for split, counts in (("Train_AFEW", TRAIN), ("Val_AFEW", VAL)):
        number = 0
        for emotion, n in counts.items():
            (folder / split / emotion).mkdir(parents=True)
            for _ in range(n):
                number += 1  # the same names in both sets
                (folder / split / emotion / f"{number:09d}.avi").touch()
    faces = folder / "Train_AFEW" / "AlignedFaces_LBPTOP_Points" / "Faces" / "000000001"
    faces.mkdir(parents=True)
    (faces / "0000.jpg").touch()
    (folder / "Test_AFEW").mkdir()
    for number in range(653):
        (folder / "Test_AFEW" / f"{number:09d}.avi").touch()
    return folder


def test_official_layout(corpus, labels, tmp_path):
    found = load(labels, tmp_path, str(corpus))
    assert found.notes == []
    assert Counter(u.emotion for u in found.utterances if u.split == "train") == TRAIN
    assert Counter(u.emotion for u in found.utterances if u.split == "val") == VAL
    assert Counter(u.emotion for u in found.utterances if u.split == "test") == {None: 653}
    assert len(found.utterances) == len({u.id for u in found.utterances}) == 773 + 383 + 653
    u = next(u for u in found.utterances if u.id == "emotiw2018-val-000000065")
    assert u.audio == str(corpus / "Val_AFEW" / "Disgust" / "000000065.avi")
    assert (u.emotion, u.gender, u.speaker, u.text) == ("Disgust", None, None, None)


def test_names_for_other_models(labels):
    assert labels.classes == {
        "Angry": "anger",
        "Disgust": "disgust",
        "Fear": "fear",
        "Happy": "happiness",
        "Neutral": "neutral",
        "Sad": "sadness",
        "Surprise": "surprise",
    }


def test_what_differs_is_told(corpus, labels, tmp_path):
    (corpus / "Val_AFEW" / "Sad").rename(corpus / "Val_AFEW" / "Bored")
    (corpus / "Train_AFEW" / "Fear" / "extra.AVI").touch()
    (corpus / "Train_AFEW" / "Fear" / "._extra.avi").touch()
    (corpus / "Test_AFEW" / "000000000.avi").unlink()
    found = load(labels, tmp_path, str(corpus))
    assert found.notes == [
        "train Fear has 82 clips, 81 are published",
        "val Sad has 0 clips, 61 are published",
        "val Bored has 61 clips, 0 are published",
        "test unlabelled has 652 clips, 653 are published",
        "emotion Bored has no class in labels.yaml: 61 clips are kept as <unk>",
    ]
    others = [u for u in found.utterances if u.split == "val_other"]
    assert [u.emotion for u in others] == [None] * 61
    assert sum(u.split == "val" for u in found.utterances) == 383 - 61


def test_only_validation(corpus, labels, tmp_path):
    for name in ("Train_AFEW", "Test_AFEW"):
        (corpus / name).rename(tmp_path / name)
    found = load(labels, tmp_path, str(corpus))
    assert {u.split for u in found.utterances} == {"val"}
    assert found.notes == [
        f"there is no {corpus / 'Train_AFEW'}, so no set train",
        f"there is no {corpus / 'Test_AFEW'}, so no set test",
    ]


def test_a_clip_in_two_classes(corpus, labels, tmp_path):
    (corpus / "Val_AFEW" / "Sad" / "000000001.avi").touch()
    with pytest.raises(UserError, match=r"Sad/000000001\.avi is also at .*Angry"):
        load(labels, tmp_path, str(corpus))


def test_no_corpus_there(labels, tmp_path):
    with pytest.raises(UserError, match=r"none of Train_AFEW, Val_AFEW, .*--emotiw2018_root"):
        load(labels, tmp_path, str(tmp_path))
    (tmp_path / "Val_AFEW").mkdir()
    with pytest.raises(UserError, match=r"no \*\.avi below .*Val_AFEW"):
        load(labels, tmp_path, str(tmp_path))


def test_sound_of_an_avi_becomes_16_khz_mono(root, tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    folder = tmp_path / "AFEW" / "Val_AFEW" / "Happy"
    folder.mkdir(parents=True)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin", "-f", "lavfi"]
    command += ["-i", "color=size=32x32:rate=5:duration=1", "-f", "lavfi"]
    command += ["-i", "aevalsrc=0.4*sin(880*PI*t)|0:sample_rate=44100:duration=1"]
    command += ["-c:a", "pcm_s16le", str(folder / "000000065.avi")]
    subprocess.run(command, check=True)
    prepare.main(
        [
            *("--recipe", "emotiw2018", "--labels", str(root / "egs/emotiw2018/labels.yaml")),
            *("--datadir", str(tmp_path / "data"), "--dumpdir", str(tmp_path / "dump")),
            *("--nj", "1", "--corpus_args", f"emotiw2018_root={tmp_path / 'AFEW'}"),
        ]
    )
    dump = read_dump(tmp_path / "dump" / "val")
    assert dump.lengths == [pytest.approx(16_000, abs=160)]
    # The mean of a tone on the left and silence on the right.
    samples = dump.samples("emotiw2018-val-000000065")[500:15_000]
    expected = 0.2 * np.sin(2 * np.pi * 440 * np.arange(500, 15_000) / 16_000)
    np.testing.assert_allclose(samples, expected, atol=0.01)
    columns = read_data_dir(tmp_path / "data" / "val").columns
    assert list(columns["utt2emo"].values()) == ["Happy"]
    assert list(columns["utt2gender"].values()) == ["<unk>"]
