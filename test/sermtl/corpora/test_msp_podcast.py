import json
from collections import Counter

import numpy as np
import pytest
import soundfile

from sermtl.bin import prepare
from sermtl.corpora.msp_podcast import load
from sermtl.data.audio import read_dump
from sermtl.data.datadir import read_data_dir
from sermtl.data.labels import load_labels
from sermtl.errors import UserError

TABLE = """\
FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set
MSP-PODCAST_0001_0008.wav,N,2.2,4.0,2.6,30,Male,Test1
MSP-PODCAST_0002_0033.wav,A,5.2,2.0,5.6,127,Female,Train
MSP-PODCAST_0002_0039.wav,X,3.0,4.2,3.8,127,Female,Train
MSP-PODCAST_0003_0052.wav,O,3.4,3.2,3.6,Unknown,Unknown,Train
MSP-PODCAST_0004_0001.wav,C,4.4,2.2,4.6,Unknown,Female,Development
MSP-PODCAST_0005_0001.wav,H,5.4,6.2,4.6,8,Male,Test2
"""
PARTITIONS = """\
Test1; MSP-PODCAST_0001_0008.wav
Train; MSP-PODCAST_0002_0033.wav
Train; MSP-PODCAST_0002_0039.wav
Train; MSP-PODCAST_0003_0052.wav
Train; MSP-PODCAST_0003_0099.wav

Development; MSP-PODCAST_0004_0001.wav
Test2; MSP-PODCAST_0005_0001.wav
Test3; MSP-PODCAST_test3_0001.wav
Test3; MSP-PODCAST_test3_0002.wav
"""
TRANSCRIPTS = {
    "MSP-PODCAST_0001_0008": b"Well, I'd say so.\n",
    "MSP-PODCAST_0002_0033": b"\xef\xbb\xbfHow could you?\r\n",
    "MSP-PODCAST_0002_0039": b" \n",
    "MSP-PODCAST_0004_0001": b"It\x92s fine.",
    "MSP-PODCAST_0005_0001": b"Great!",
}
EXPECTED = {  # id without MSP-PODCAST_ -> set, emotion, gender, speaker, text
    "0001_0008": ("test1", "N", "male", "msp_podcast-30", "Well, I'd say so."),
    "0002_0033": ("train", "A", "female", "msp_podcast-127", "How could you?"),
    "0002_0039": ("train_other", None, "female", "msp_podcast-127", None),
    "0003_0052": ("train_other", None, None, None, None),
    "0003_0099": ("train_other", None, None, None, None),
    "0004_0001": ("development", "C", "female", None, None),
    "0005_0001": ("test2", "H", "male", "msp_podcast-8", "Great!"),
    "test3_0001": ("test3", None, None, None, None),
    "test3_0002": ("test3", None, None, None, None),
}


@pytest.fixture
def labels(root):
    return load_labels(root / "egs" / "msp_podcast" / "labels.yaml")


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "MSP-PODCAST Publish 1.12"
    for name in ("Audios", "Labels", "Transcripts"):
        (folder / name).mkdir(parents=True)
    (folder / "Labels" / "labels_consensus.csv").write_text(TABLE)
    (folder / "Partitions.txt").write_text(PARTITIONS)
    for stem, content in TRANSCRIPTS.items():
        (folder / "Transcripts" / f"{stem}.txt").write_bytes(content)
    return folder


@pytest.fixture
def read(corpus, labels, tmp_path):
    def call(**options):
        return load(labels, tmp_path, str(corpus), **options)

    return call


def fields(found):
    return {
        u.id.removeprefix("MSP-PODCAST_"): (u.split, u.emotion, u.gender, u.speaker, u.text)
        for u in found.utterances
    }


def as_json(table):
    header, *lines = table.splitlines()
    rows = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    for row in rows:
        row["EmoAct"] = float(row["EmoAct"])
        row["SpkrID"] = int(row["SpkrID"]) if row["SpkrID"].isdecimal() else row["SpkrID"]
    return json.dumps({row.pop("FileName"): row for row in rows})


def test_official_layout(read, corpus):
    found = read()
    assert fields(found) == EXPECTED
    for u in found.utterances:
        assert u.audio == f"{corpus}/Audios/{u.id}.wav"
    assert found.notes == [
        "set train has 1 clips, 66992 are published",
        "set development has 1 clips, 25258 are published",
        "set test3 has 2 clips, 3200 are published",
        "emotion O has no class in labels.yaml: 1 clips are kept as <unk>",
        "emotion X has no class in labels.yaml: 1 clips are kept as <unk>",
        "train: 1 files of Partitions.txt have no row in labels_consensus.csv and are kept as "
        "<unk> in train_other",
        "development: 1 transcripts are not UTF-8, their text is <unk>",
        "test3: 2 transcripts are missing, their text is <unk>",
        "train_other: 1 transcripts are empty, their text is <unk>",
        "train_other: 2 transcripts are missing, their text is <unk>",
    ]
    assert found.folds == {}


@pytest.mark.parametrize("name", ["labels_consensus", "labels_concensus"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_every_spelling_and_form(read, corpus, name, form):
    official = corpus / "Labels" / "labels_consensus.csv"
    official.unlink()
    content = TABLE if form == "csv" else as_json(TABLE)
    (corpus / "Labels" / f"{name}.{form}").write_text(content)
    assert fields(read()) == EXPECTED


def test_two_spellings(read, corpus):
    (corpus / "Labels" / "labels_concensus.csv").write_text("no table")
    (corpus / "Labels" / "labels_consensus.json").write_text("the same in JSON is no news")
    found = read()
    assert fields(found) == EXPECTED
    assert found.notes[0] == (
        f"{corpus}/Labels has both labels_consensus.csv, which is read, and labels_concensus.csv"
    )


def test_columns_in_another_order_and_windows_lines(read, corpus):
    rows = [line.split(",") for line in TABLE.splitlines()]
    content = "\r\n".join(",".join(row[::-1]) for row in rows)
    (corpus / "Labels" / "labels_consensus.csv").write_bytes(b"\xef\xbb\xbf" + content.encode())
    assert fields(read()) == EXPECTED


def test_old_releases(read, corpus):
    (corpus / "Audios").rename(corpus / "Audio")
    table = corpus / "Labels" / "labels_consensus.csv"
    table.write_text(TABLE.replace("Development", "Validation"))
    (corpus / "Partitions.txt").rename(corpus / "Labels" / "Partition.txt")
    found = read()
    assert fields(found) == EXPECTED
    assert found.utterances[0].audio == f"{corpus}/Audio/MSP-PODCAST_0001_0008.wav"


def test_without_partitions_there_is_no_test3(read, corpus):
    (corpus / "Partitions.txt").unlink()
    found = read()
    assert fields(found) == {
        name: values
        for name, values in EXPECTED.items()
        if not name.startswith("test3") and name != "0003_0099"
    }
    assert any("has no Partitions.txt" in note for note in found.notes)


def test_counts_are_those_of_the_release(read):
    notes = read(msp_podcast_release="odyssey2024").notes
    assert "set train A has 1 clips, 3053 are published" in notes
    assert "set development C has 1 clips, 1323 are published" in notes
    assert not any("66992" in note for note in notes)
    with pytest.raises(UserError, match=r"1\.12: counts are known of challenge2025, odyssey2024"):
        read(msp_podcast_release="1.12")


def test_published_counts_give_no_note(read, corpus):
    """As many neutral utterances as are published of train, and no more sets."""
    header = TABLE.splitlines()[0]
    rows = [f"MSP-PODCAST_{i}.wav,N,,,,1,Male,Train" for i in range(66_992)]
    (corpus / "Labels" / "labels_consensus.csv").write_text("\n".join([header, *rows]))
    (corpus / "Partitions.txt").unlink()
    notes = read().notes
    assert not any("set train" in note for note in notes)
    assert "set development has 0 clips, 25258 are published" in notes


def test_a_letter_that_is_no_class(read, corpus):
    table = corpus / "Labels" / "labels_consensus.csv"
    table.write_text(TABLE.replace(",A,", ",Z,"))
    found = read()
    assert fields(found)["0002_0033"][:2] == ("train_other", None)
    assert "emotion Z has no class in labels.yaml: 1 clips are kept as <unk>" in found.notes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("SpkrID", "Speaker", r"consensus\.csv:1: the header has no column `SpkrID`"),
        ("FileName", "File", r"consensus\.csv:1: the header has no column `FileName`"),
        (",Male,Test2", ",Male,Test4", r"consensus\.csv:7: 'Test4' is no set; .* Test3"),
        (",Male,Test2", ",Man?,Test2", r"consensus\.csv:7: gender must be"),
        (",Male,Test2", ",Male", r"consensus\.csv:7: 7 fields, the header has 8"),
        ("0005_0001", "0004_0001", r"csv:7: MSP-PODCAST_0004_0001\.wav is at 6, too"),
        ("MSP-PODCAST_0005_0001.wav", "", r"consensus\.csv:7: the file name is empty"),
    ],
)
def test_what_is_wrong_in_the_table(read, corpus, old, new, message):
    (corpus / "Labels" / "labels_consensus.csv").write_text(TABLE.replace(old, new))
    with pytest.raises(UserError, match=message):
        read()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"consensus\.json:1: no JSON"),
        ("[]", r"consensus\.json must be a mapping"),
        ('{"a.wav": {"EmoClass": "N"}}', r"json:a\.wav: there is no SpkrID"),
        (as_json(TABLE).replace('"Test2"', "null"), r"0005_0001\.wav: there is no Split_Set"),
    ],
)
def test_what_is_wrong_in_json(read, corpus, content, message):
    (corpus / "Labels" / "labels_consensus.csv").unlink()
    (corpus / "Labels" / "labels_consensus.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "Test2; MSP",
            "Train; MSP",
            r"Partitions\.txt:8: MSP-PODCAST_0005_0001\.wav is in train, but .*csv:7 has it in "
            "test2",
        ),
        ("Test3; MSP", "Dev; MSP", r"Partitions\.txt:9: 'Dev' is no set"),
        ("; MSP-PODCAST_test3_0001.wav", "", r"Partitions\.txt:9: not `<set>; <file>`"),
        ("Train; MSP-PODCAST_0003_0099", "Train; MSP-PODCAST_test3_0001", "is in train already"),
    ],
)
def test_what_is_wrong_in_partitions(read, corpus, old, new, message):
    (corpus / "Partitions.txt").write_text(PARTITIONS.replace(old, new))
    with pytest.raises(UserError, match=message):
        read()


@pytest.mark.parametrize("folder", ["Audios", "Labels"])
def test_no_corpus_there(read, corpus, folder):
    (corpus / folder).rename(corpus / "elsewhere")
    with pytest.raises(UserError, match=r"there is no .* --msp_podcast_root"):
        read()


def test_the_stereo_file_becomes_16_khz_mono(corpus, root, tmp_path, capsys):
    """One real file is 44.1 kHz stereo: here a tone on the left, silence on the right."""
    name = "MSP-PODCAST_1023_0235"
    table = TABLE.splitlines()[0] + f"\n{name}.wav,S,2.0,2.2,2.4,71,Female,Train\n"
    (corpus / "Labels" / "labels_consensus.csv").write_text(table)
    (corpus / "Partitions.txt").write_text(f"Train; {name}.wav\n")
    tone = 0.8 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)
    samples = np.stack([tone, np.zeros_like(tone)], axis=1)
    soundfile.write(corpus / "Audios" / f"{name}.wav", samples, 44_100)
    prepare.main(
        [
            *("--recipe", "msp_podcast", "--labels", str(root / "egs/msp_podcast/labels.yaml")),
            *("--datadir", str(tmp_path / "data"), "--dumpdir", str(tmp_path / "dump")),
            *("--nj", "1", "--corpus_args", f"msp_podcast_root={corpus}"),
        ]
    )
    assert "train: 1 utterances" in capsys.readouterr().out
    dump = read_dump(tmp_path / "dump" / "train")
    assert dump.ids == [name]
    assert dump.lengths == [16_000]
    expected = 0.4 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    np.testing.assert_allclose(dump.samples(name)[500:-500], expected[500:-500], atol=0.005)
    columns = read_data_dir(tmp_path / "data" / "train").columns
    assert columns["utt2emo"] == {name: "S"}
    assert columns["utt2spk"] == {name: "msp_podcast-71"}
    assert columns["wav.scp"] == {name: f"{corpus}/Audios/{name}.wav"}


def test_one_answer_per_file_of_test3(read):
    """The submission names files as they are on disk, each once."""
    files = [u.audio.rpartition("/")[2] for u in read().utterances if u.split == "test3"]
    assert Counter(files) == {f"MSP-PODCAST_test3_000{k}.wav": 1 for k in (1, 2)}
