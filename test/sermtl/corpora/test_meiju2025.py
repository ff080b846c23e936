import subprocess
from collections import Counter

import pytest

from sermtl.bin import prepare
from sermtl.corpora.meiju2025 import load
from sermtl.data.audio import read_dump
from sermtl.data.datadir import read_data_dir
from sermtl.data.labels import load_labels
from sermtl.errors import UserError

LISTS = {
    "Training": """\
Track1_Training_00001.mp4 fear consoling
Track1_Training_00002.mp4 happy wishing
Track1_Training_00003.mp4 neutral encouraging
""",
    "Validation": """\
Track1_Validation_00001.mp4 anger questioning
Track1_Validation_00002.mp4 disgust neutral
Track1_Validation_00003.mp4 sad neutral
Track1_Validation_00004.mp4 surprise agreeing
""",
}
TRANSCRIPTS = {
    "Training": """\
FileName,Subtitle
Track1_Training_00001.mp4,"Hush, don't be afraid."
Track1_Training_00002.mp4,May you be happy!
Track1_Training_00003.mp4,
""",
    "Validation": """\
FileName,Subtitle
Track1_Validation_00001.mp4,What?
Track1_Validation_00002.mp4,That's awful.
Track1_Validation_00003.mp4,I know.
Track1_Validation_00004.mp4,"Oh, yes."
""",
}
EXPECTED = {  # id without meiju2025-Track1_ -> set, emotion, text
    "Training_00001": ("train", "fear", "Hush, don't be afraid."),
    "Training_00002": ("train", "happy", "May you be happy!"),
    "Training_00003": ("train", "neutral", None),
    "Validation_00001": ("valid", "anger", "What?"),
    "Validation_00002": ("valid", "disgust", "That's awful."),
    "Validation_00003": ("valid", "sad", "I know."),
    "Validation_00004": ("valid", "surprise", "Oh, yes."),
}
COUNTS = ["set train has 3 clips, 3161 are published", "set valid has 4 clips, 449 are published"]


@pytest.fixture
def labels(root):
    return load_labels(root / "egs" / "meiju2025" / "labels.yaml")


@pytest.fixture
def annotation(tmp_path):
    """The layout that the organisers' code reads, with parts that aren't ours."""
    track = tmp_path / "my MEIJU" / "Track1"
    folder = track / "English" / "Annotation"
    for split, lines in LISTS.items():
        (folder / split).mkdir(parents=True)
        (folder / f"{split}_files.txt").write_text(lines)
        (folder / f"{split}_transcription.csv").write_text(TRANSCRIPTS[split])
        for line in lines.splitlines():
            (folder / split / line.split()[0]).touch()
    for other in ("English/NoAnnotation", "Mandarin/Annotation/Validation"):
        (track / other).mkdir(parents=True)
        (track / other / "Track1_Validation_00001.mp4").touch()
    return folder


@pytest.fixture
def read(annotation, labels, tmp_path):
    def call():
        return load(labels, tmp_path, str(tmp_path / "my MEIJU"))

    return call


def fields(found):
    return {
        u.id.removeprefix("meiju2025-Track1_"): (u.split, u.emotion, u.text)
        for u in found.utterances
    }


def test_official_layout(read, annotation):
    found = read()
    assert fields(found) == EXPECTED
    assert {(u.gender, u.speaker) for u in found.utterances} == {(None, None)}
    audio = {u.audio for u in found.utterances}
    assert str(annotation / "Training" / "Track1_Training_00002.mp4") in audio
    assert found.notes == [
        "train: 1 clips have no transcript, it is <unk>",
        *COUNTS,
    ]


def test_names_for_other_models(labels):
    assert labels.classes == {
        "happy": "happiness",
        "surprise": "surprise",
        "sad": "sadness",
        "disgust": "disgust",
        "anger": "anger",
        "fear": "fear",
        "neutral": "neutral",
    }


def test_other_roots(read, annotation, labels, tmp_path):
    assert fields(load(labels, tmp_path, str(annotation))) == EXPECTED
    (tmp_path / "my MEIJU" / "Track1").rename(tmp_path / "my MEIJU" / "Track 1")
    assert fields(read()) == EXPECTED


def test_tables_in_the_split_and_videos_deeper(read, annotation):
    for split, lines in LISTS.items():
        folder = annotation / split
        (annotation / f"{split}_files.txt").unlink()
        (folder / "label.csv").write_text(lines.replace(" ", ","))
        (annotation / f"{split}_transcription.csv").rename(folder / f"{split}_transcription.csv")
        (folder / "Videos").mkdir()
        for video in list(folder.glob("*.mp4")):
            video.rename(folder / "Videos" / f"{video.stem}.MP4")
    assert fields(read()) == EXPECTED


def test_labels_in_a_column_of_the_transcripts(read, annotation):
    """As in the table that a participant made of the released ones: an index, other names."""
    for split, lines in LISTS.items():
        (annotation / f"{split}_files.txt").unlink()
        emotions = [line.split()[1:] for line in lines.splitlines()]
        _, *rows = TRANSCRIPTS[split].splitlines()
        content = [",name,sentence,Emotion,Intent"]
        content += [
            ",".join([str(i), row.replace(".mp4", ""), *labels])
            for i, (row, labels) in enumerate(zip(rows, emotions, strict=True))
        ]
        (annotation / f"{split}_transcription.csv").write_text("\n".join(content))
    assert fields(read()) == EXPECTED


def test_without_transcripts(read, annotation):
    for split in LISTS:
        (annotation / f"{split}_transcription.csv").unlink()
    found = read()
    assert fields(found) == {name: (*values[:2], None) for name, values in EXPECTED.items()}
    assert found.notes == [
        "train: 3 clips have no transcript, it is <unk>",
        COUNTS[0],
        "valid: 4 clips have no transcript, it is <unk>",
        COUNTS[1],
    ]


def test_what_has_no_label_no_class_or_no_video(read, annotation):
    table = annotation / "Validation_files.txt"
    table.write_text(LISTS["Validation"].replace("anger", "bored").replace("00004", "00009"))
    found = read()
    assert Counter(u.split for u in found.utterances) == {"train": 3, "valid": 3, "valid_other": 2}
    assert fields(found)["Validation_00001"] == ("valid_other", None, "What?")
    assert fields(found)["Validation_00004"] == ("valid_other", None, "Oh, yes.")
    assert fields(found)["Validation_00009"] == ("valid", "surprise", None)
    assert "emotion bored has no class in labels.yaml: 1 clips are kept as <unk>" in found.notes
    assert "valid: 1 clips have no emotion, it is <unk>" in found.notes


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("Validation_files.txt", "a.mp4 sad neutral\nb.mp4 sad", r"files\.txt:2: not `<name\.ext>"),
        (
            "Validation_files.txt",
            "a.mp4 sad x\na.mp4 sad x",
            r"files\.txt:2: a\.mp4 is there twice",
        ),
        (
            "Validation_files.txt",
            "a.mp4 sad x\na.avi sad x",
            r"files\.txt:2: a\.avi is there twice",
        ),
        ("Validation_files.txt", "nothing of the kind", "there are no labels of .*Validation"),
        ("Validation/copy.txt", LISTS["Validation"], r"Validation/copy\.txt .*hold the same"),
        (
            "Validation_transcription.csv",
            "File,Subtitle\na,b",
            r"transcription\.csv: the header has no column filename or name, only",
        ),
        (
            "Validation_transcription.csv",
            "FileName,Text\na,b",
            r"transcription\.csv: the header has no column subtitle or sentence, only",
        ),
        ("Validation_transcription.csv", "FileName,Subtitle\na,b,c", r"csv:2: 3 fields"),
        ("Validation_transcription.csv", "FileName,Subtitle\na,b\na,b", r"csv:3: a is there twice"),
        ("Validation_transcription.csv", "FileName,Subtitle\n,b", r"csv:2: the file name is empty"),
    ],
)
def test_what_is_wrong_in_the_tables(read, annotation, file, content, message):
    (annotation / file).write_text(content)
    with pytest.raises(UserError, match=message):
        read()


def test_no_corpus_there(labels, tmp_path):
    (tmp_path / "Track1" / "Mandarin" / "Annotation" / "Validation").mkdir(parents=True)
    with pytest.raises(UserError, match=r"Track1/English/Annotation has no .*--meiju2025_root"):
        load(labels, tmp_path, str(tmp_path))


def test_sound_of_an_mp4_becomes_16_khz_mono(root, annotation, tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    for split in LISTS:
        name = f"Track1_{split}_00001"
        for video in (annotation / split).glob("*.mp4"):
            video.unlink()
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin", "-f", "lavfi"]
        command += ["-i", "color=size=32x32:rate=5:duration=1", "-f", "lavfi"]
        command += ["-i", "aevalsrc=0.4*sin(880*PI*t)|0:sample_rate=44100:duration=1"]
        subprocess.run([*command, str(annotation / split / f"{name}.mp4")], check=True)
        (annotation / f"{split}_files.txt").write_text(f"{name}.mp4 fear consoling\n")
    prepare.main(
        [
            *("--recipe", "meiju2025", "--labels", str(root / "egs/meiju2025/labels.yaml")),
            *("--datadir", str(tmp_path / "data"), "--dumpdir", str(tmp_path / "dump")),
            *("--nj", "1", "--corpus_args", f"meiju2025_root={annotation}"),
        ]
    )
    dump = read_dump(tmp_path / "dump" / "valid")
    assert dump.lengths == [pytest.approx(16_000, abs=1600)]  # AAC pads
    # The mean of a tone of amplitude 0.4 on the left and silence on the right.
    samples = dump.samples("meiju2025-Track1_Validation_00001")[2000:14_000]
    assert (samples**2).mean() == pytest.approx(0.2**2 / 2, rel=0.05)
    columns = read_data_dir(tmp_path / "data" / "valid").columns
    assert list(columns["utt2emo"].values()) == ["fear"]
    assert list(columns["text"].values()) == ["What?"]
