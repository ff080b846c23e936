import csv
import subprocess
from collections import Counter

import pytest

from sermtl.bin import prepare
from sermtl.corpora import meld as meld_module
from sermtl.corpora.meld import load
from sermtl.data.audio import read_dump
from sermtl.data.datadir import read_column, read_data_dir
from sermtl.data.labels import load_labels
from sermtl.errors import UserError

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID"
HEADER = f"{HEADER},Season,Episode,StartTime,EndTime".split(",")
FOLDERS = {
    "train": "train/train_splits",
    "dev": "dev_splits_complete",
    "test": "test/output_repeated_splits_test",
}
TABLES = {
    "train": "train/train_sent_emo.csv",
    "dev": "dev_sent_emo.csv",
    "test": "test_sent_emo.csv",
}
ROWS = {  # dialogue, utterance, speaker, emotion, text; as the published tables have them
    "train": [
        (0, 0, "Chandler", "neutral", "the point person on my company\x92s transition"),
        (0, 1, "The Interviewer", "joy", 'He said, "Nice to meet you, Glenda."'),
        (125, 3, "All", "surprise", "Oh\x97wait\x85 \x93no\x94!"),
        (1000, 12, "Joey and Ross", "fear", "No,\xa0no."),
    ],
    "dev": [(0, 0, "Phoebe", "sadness", "He’s lost it."), (110, 7, "Ross", "anger", "Hi.")],
    "test": [
        (0, 0, "Mark", "disgust", "Ew."),
        (0, 1, "Phoebe  Sr.", "joy", ""),
        (1, 0, "Sandy", "neutral", "Hm."),
    ],
}
WITHOUT_VIDEO = ("dev", "dia110_utt7")  # as published


def clip(row):
    return "dia{}_utt{}".format(*row[:2])


def write_table(path, rows, encoding="utf-8", end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, lineterminator=end)
        writer.writerow(HEADER)
        for n, (dialogue, utterance, speaker, emotion, text) in enumerate(rows, 1):
            times = ("00:16:16,059", "00:16:21,731")
            writer.writerow(
                [n, text, speaker, emotion, "neutral", dialogue, utterance, 8, 21, *times]
            )


def make(root, rows, folders=FOLDERS, tables=TABLES):
    """MELD.Raw as its archives unpack, with empty videos."""
    for name in rows:
        write_table(root / tables[name], rows[name])
        (root / folders[name]).mkdir(parents=True)
        for row in rows[name]:
            if (name, clip(row)) != WITHOUT_VIDEO:
                (root / folders[name] / f"{clip(row)}.mp4").touch()


@pytest.fixture
def labels(root):
    return load_labels(root / "egs" / "meld" / "labels.yaml")


@pytest.fixture
def meld(tmp_path):
    root = tmp_path / "my corpora" / "MELD.Raw"
    make(root, ROWS)
    return root


def notes_but_counts(found):
    return [note for note in found.notes if "are published" not in note]


def test_published_layout(meld, labels, tmp_path):
    found = load(labels, tmp_path, str(meld))
    made = {u.id: (u.emotion, u.speaker, u.text) for u in found.utterances}
    assert made == {
        "meld-train-dia0_utt0": (
            *("neutral", "meld_Chandler", "the point person on my company’s transition"),
        ),
        "meld-train-dia0_utt1": (
            *("happiness", "meld_The_Interviewer", 'He said, "Nice to meet you, Glenda."'),
        ),
        "meld-train-dia125_utt3": ("surprise", None, "Oh—wait… “no”!"),
        "meld-train-dia1000_utt12": ("fear", None, "No,\xa0no."),
        "meld-dev-dia0_utt0": ("sadness", "meld_Phoebe", "He’s lost it."),
        "meld-test-dia0_utt0": ("disgust", "meld_Mark", "Ew."),
        "meld-test-dia0_utt1": ("happiness", "meld_Phoebe_Sr.", None),
        "meld-test-dia1_utt0": ("neutral", "meld_Sandy", "Hm."),
    }
    assert Counter(u.split for u in found.utterances) == {"train": 4, "dev": 1, "test": 3}
    assert {u.gender for u in found.utterances} == {None}
    assert found.folds == {}
    for u in found.utterances:
        name, stem = u.id.split("-")[1:]
        assert u.audio == str(meld / FOLDERS[name] / f"{stem}.mp4")
    assert notes_but_counts(found) == [
        "dev: 1 rows without a video are left out (dia110_utt7)",
        "2 clips are spoken by a group (All, Joey and Ross): no speaker is given",
    ]
    counts = [note for note in found.notes if note.startswith("train: emotion fear")]
    assert counts == ["train: emotion fear has 1 clips, 268 are published"]


@pytest.mark.parametrize("place", ["{}_splits", "deep/er/{0}_splits/{0}", "MELD.Raw/{}/{}_splits"])
def test_other_depths(labels, tmp_path, place):
    root = tmp_path / "data"
    folders = {name: place.format(name, name) + "/" + FOLDERS[name] for name in FOLDERS}
    tables = {name: f"MELD/data/MELD/{name}_sent_emo.csv" for name in FOLDERS}
    make(root, ROWS, folders, tables)
    assert len(load(labels, tmp_path, str(root)).utterances) == 8


def test_the_published_numbers(labels, tmp_path, monkeypatch):
    """All rows with the published emotions: nothing but the missing video is told."""
    emotions = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
    published = {
        "train": (1109, 271, 268, 1743, 4710, 683, 1205),
        "dev": (153, 22, 40, 163, 470, 111, 150),
        "test": (345, 68, 50, 402, 1256, 208, 281),
    }
    videos = {}
    for name, numbers in published.items():
        of_rows = [e for e, n in zip(emotions, numbers, strict=True) for _ in range(n)]
        rows = [(n // 9, n % 9, "Rachel", e, "Hi.") for n, e in enumerate(of_rows)]
        write_table(tmp_path / TABLES[name], rows)
        videos[FOLDERS[name].split("/")[-1]] = {clip(row): tmp_path / clip(row) for row in rows}
    del videos["dev_splits_complete"]["dia110_utt7"]
    # Thousands of files would take a while to make.
    monkeypatch.setattr(meld_module, "files_below", lambda *given: videos[given[2].split("/")[0]])
    found = load(labels, tmp_path, str(tmp_path))
    assert Counter(u.split for u in found.utterances) == {"train": 9989, "dev": 1108, "test": 2610}
    assert found.notes == ["dev: 1 rows without a video are left out (dia110_utt7)"]


def test_files_that_must_not_disturb(meld, labels, tmp_path):
    expected = load(labels, tmp_path, str(meld)).utterances
    test = meld / FOLDERS["test"]
    for name in ("dia0_utt0", "dia0_utt1", "dia108_utt0", "dia93_utt5"):
        (test / f"final_videos_test{name}.mp4").touch()
    (test / "._dia0_utt0.mp4").touch()
    (test / "dia0_utt0.wav").touch()
    (meld / FOLDERS["dev"] / "dia66_utt9.mp4").touch()
    table = meld / TABLES["test"]
    copy = meld / "MELD" / "data" / "MELD" / table.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(table.read_bytes())
    found = load(labels, tmp_path, str(meld))
    assert found.utterances == expected
    assert notes_but_counts(found)[1:3] == [
        "dev: 1 videos without a row are left out (dia66_utt9)",
        "test: 4 videos without a row are left out (final_videos_testdia0_utt0, "
        "final_videos_testdia0_utt1, final_videos_testdia108_utt0, ...)",
    ]


@pytest.mark.parametrize(("encoding", "end"), [("utf-8-sig", "\r\n"), ("utf-8", "\r\n")])
def test_tables_from_windows(meld, labels, tmp_path, encoding, end):
    expected = load(labels, tmp_path, str(meld)).utterances
    write_table(meld / TABLES["train"], ROWS["train"], encoding, end)
    assert load(labels, tmp_path, str(meld)).utterances == expected


@pytest.mark.parametrize(
    ("speaker", "group"),
    [
        *[(name, True) for name in ("All", "Both", "Everybody", "Rachel, Phoebe", "Joey & Ross")],
        *[(name, False) for name in ("Sandy", "Mr. Treeger", "Mall Guard", "Rachel/actress")],
    ],
)
def test_speakers_that_are_no_single_person(meld, labels, tmp_path, speaker, group):
    write_table(meld / TABLES["dev"], [(0, 0, speaker, "joy", "Hi.")])
    found = load(labels, tmp_path, str(meld))
    given = next(u.speaker for u in found.utterances if u.split == "dev")
    assert given == (None if group else "meld_" + speaker.replace(" ", "_"))


def test_an_unknown_emotion_is_kept_and_told(meld, labels, tmp_path):
    write_table(meld / TABLES["dev"], [(0, 0, "Ross", "boredom", "Hi.")])
    found = load(labels, tmp_path, str(meld))
    assert [u.emotion for u in found.utterances if u.split == "dev"] == [None]
    assert "emotion boredom has no class in labels.yaml: 1 clips are kept as <unk>" in found.notes


ROW = "1,Hi.,Ross,joy,positive,{},8,21,0,1\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "Utterance,Speaker,Dialogue_ID,Utterance_ID\n",
            r"csv:1: the header has no column `Emotion`",
        ),
        (",".join(HEADER) + "\n" + ROW.format("0,0,0"), r"csv:2: 12 fields, .* 11 columns"),
        (",".join(HEADER) + "\n" + ROW.format("0.0,0"), r"csv:2: .* must be numbers: .*0\.0"),
        (",".join(HEADER) + "\n" + 2 * ROW.format("0,0"), r"csv:3: dia0_utt0 is there twice"),
        (",".join(HEADER) + "\n" + '1,"Hi" he,Ross,joy,,0,0,8,21,0,1\n', r"csv:2: "),
    ],
)
def test_tables_that_are_wrong(meld, labels, tmp_path, content, message):
    (meld / TABLES["dev"]).write_text(content)
    with pytest.raises(UserError, match=message):
        load(labels, tmp_path, str(meld))


def test_a_table_in_windows_1252_is_refused(meld, labels, tmp_path):
    write_table(meld / TABLES["dev"], ROWS["dev"], "cp1252")
    with pytest.raises(UserError, match=r"dev_sent_emo\.csv:2: not UTF-8"):
        load(labels, tmp_path, str(meld))


def test_missing_parts_and_copies(meld, labels, tmp_path):
    with pytest.raises(UserError, match=r"no train_sent_emo\.csv below .*--meld_root"):
        load(labels, tmp_path, str(meld / "test"))
    write_table(meld / "old" / "dev_sent_emo.csv", ROWS["dev"][:1])
    with pytest.raises(UserError, match=r"old/dev_sent_emo\.csv isn't the same as .*keep one"):
        load(labels, tmp_path, str(meld))
    (meld / "old" / "dev_sent_emo.csv").unlink()
    copy = meld / "copy" / "dev_splits_complete" / "dia0_utt0.mp4"
    copy.parent.mkdir(parents=True)
    copy.touch()
    with pytest.raises(UserError, match=r"is also at .* one copy"):
        load(labels, tmp_path, str(meld))
    copy.unlink()
    for video in (meld / FOLDERS["dev"]).iterdir():
        video.unlink()
    with pytest.raises(UserError, match=r"no dev_splits_complete/\*\.mp4 below .*--meld_root"):
        load(labels, tmp_path, str(meld))


@pytest.fixture
def ffmpeg():
    """Makes a video of the given sound."""
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()

    def make(file, seconds, sound="sine=frequency=440", *options):
        picture = ["-f", "lavfi", "-i", f"color=size=16x16:rate=20:duration={min(seconds, 1)}"]
        command = [program, "-loglevel", "error", "-nostdin", "-y", *picture]
        if sound:
            command += ["-f", "lavfi", "-t", str(seconds), "-i", sound, "-b:a", "8k"]
        subprocess.run([*command, "-c:v", "mpeg4", "-c:a", "aac", *options, str(file)], check=True)
        return file

    return make


def test_stage_1_on_short_long_and_damaged_videos(ffmpeg, root, tmp_path, capsys):
    good = {
        (0, 0): (0.06, "sine=frequency=440"),
        (0, 1): (305, "anullsrc=r=8000:cl=mono"),
        (0, 2): (0.5, "aevalsrc=0|0|0.5*sin(2764*t)|0|0|0:c=5.1:s=48000"),
    }
    bad = {
        (125, 3): "neither audio nor video (moov atom not found)",  # damaged as published, too
        (1, 1): "damaged or cut off",
        (1, 2): "no audio track was found in it",
        (1, 3): "empty",
        (1, 4): "neither audio nor video",
    }
    meld = tmp_path / "MELD"
    rows = [(*numbers, "Monica", "joy", "Hi.") for numbers in [*good, *bad]]
    make(meld, {"train": rows, "dev": rows[:1], "test": rows[:1]})
    videos = {numbers: meld / FOLDERS["train"] / f"{clip(numbers)}.mp4" for numbers in good | bad}
    for numbers, (seconds, sound) in good.items():
        ffmpeg(videos[numbers], seconds, sound)
    for name in ("dev", "test"):
        (meld / FOLDERS[name] / "dia0_utt0.mp4").write_bytes(videos[0, 0].read_bytes())
    for numbers, options in (((125, 3), ()), ((1, 1), ("-movflags", "+faststart"))):
        whole = ffmpeg(videos[numbers], 5, "sine=frequency=440", *options).read_bytes()
        videos[numbers].write_bytes(whole[: len(whole) // 2])
    ffmpeg(videos[1, 2], 1, "")
    videos[1, 3].write_bytes(b"")
    videos[1, 4].write_text("This is no video.\n")

    def run(*more):
        prepare.main(
            [
                *("--recipe", "meld", "--labels", str(root / "egs/meld/labels.yaml")),
                *("--datadir", str(tmp_path / "data"), "--dumpdir", str(tmp_path / "dump")),
                *("--nj", "1", *more, "--corpus_args", f"meld_root={meld}"),
            ]
        )
        return capsys.readouterr().out

    def listed():
        return read_column(tmp_path / "dump" / "train" / "unreadable.txt")

    with pytest.raises(UserError, match=r"5 of 8 clips of train .* --max_unreadable 0\.01 allows"):
        run()
    assert len(listed()) == 5
    printed = run("--max_unreadable", "0.7")
    assert "train: 3 utterances" in printed and "5 unreadable, left out" in printed
    assert "dev: 1 utterances" in printed and "test: 1 utterances" in printed
    reasons = listed()
    assert reasons.keys() == {f"meld-train-{clip(numbers)}" for numbers in bad}
    for numbers, reason in bad.items():
        assert f"{videos[numbers]}: {reason}" in reasons[f"meld-train-{clip(numbers)}"]
    kept = [f"meld-train-dia0_utt{n}" for n in range(3)]
    for top in ("data", "dump"):
        assert read_data_dir(tmp_path / top / "train").ids == kept
    audio = read_dump(tmp_path / "dump" / "train")
    assert audio.lengths == [pytest.approx(n * 16000, abs=20) for n in (0.06, 305, 0.5)]
    assert abs(audio.samples(kept[2])).max() > 0.05  # the centre channel, where dialogue is
