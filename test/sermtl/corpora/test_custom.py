from collections import Counter

import pytest

from sermtl.corpora import load_corpus
from sermtl.corpora.custom import load
from sermtl.data.labels import LabelInventory
from sermtl.errors import UserError


@pytest.fixture
def corpus(tmp_path):
    """Writes a manifest and the audio it names, and reads it."""
    folder = tmp_path / "my corpus"

    def make(content, audio=(), labels=None, **options):
        for name in audio:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        (folder / "manifest.csv").write_text(content, encoding="utf-8")
        return load(labels, tmp_path / "data", str(folder / "manifest.csv"), **options)

    folder.mkdir()
    return make


def test_every_column(corpus, tmp_path):
    found = corpus(
        "path,emotion,gender,speaker,text,split,start,end,id\n"
        "clips 1/a b.wav,joy,F,Anna B,Good morning,train,0.5,1.5,x1\n"
        "clips 1/a b.wav,,,,,dev-1,,,\n",
        ["clips 1/a b.wav"],
    )
    first, second = found.utterances
    audio = str(tmp_path / "my corpus" / "clips 1" / "a b.wav")
    assert (first.id, first.audio, first.split) == ("x1", audio, "train")
    assert (first.emotion, first.gender, first.speaker) == ("joy", "female", "Anna_B")
    assert (first.text, first.start, first.end) == ("Good morning", 0.5, 1.5)
    assert (second.id, second.split, second.emotion) == ("a_b", "dev-1", None)
    assert (second.gender, second.speaker, second.text) == (None, None, None)
    assert "emotion is unknown in 1 utterances" in found.notes
    assert not (tmp_path / "data").exists()  # no split had to be made


def test_made_ids_are_unique_and_short(corpus):
    found = corpus(
        "path,speaker,start,end,split\n"
        "x/a.wav,s1,,,t\nx/b.wav,s1,,,t\ny/b.wav,s1,,,t\ny/c.wav,,,,t\ny/c.flac,,,,t\n"
        "long.wav,s2,0,1.25,t\nlong.wav,s2,1.25,,t\n",
        ["x/a.wav", "x/b.wav", "y/b.wav", "y/c.wav", "y/c.flac", "long.wav"],
    )
    assert [u.id for u in found.utterances] == [
        *("s1-a", "s1-x_b", "s1-y_b", "y_c.wav", "y_c.flac"),
        *("s2-long-0000000-0001250", "s2-long-0001250-end"),
    ]


def test_columns_may_be_missing(corpus):
    names = [f"{n}.wav" for n in range(20)]
    found = corpus("path\n" + "\n".join(names), names)
    assert {u.split for u in found.utterances} == {"train", "valid", "test"}
    for task in ("emotion", "gender", "speaker", "transcript"):
        assert any(f"the {task} task can't be trained" in note for note in found.notes)


def test_split_is_kept_until_the_manifest_changes(corpus, tmp_path):
    names = [f"s{s}/{n}.wav" for s in range(6) for n in range(5)]
    content = "path,speaker\n" + "".join(f"{name},{name[:2]}\n" for name in names)
    first = corpus(content, names)
    written = (tmp_path / "data" / "split.csv").read_text()
    assert corpus(content).utterances == first.utterances
    assert (tmp_path / "data" / "split.csv").read_text() == written
    changed = corpus(content + "new.wav,s0\n", ["new.wav"])
    assert any("made anew" in note for note in changed.notes)
    assert corpus(content, split_seed="7").utterances != first.utterances


CONTENT = "path,emotion,split\na.wav,joy,t\nb.wav,no,t\nc.wav,01,t\nd.wav,odd,t\n"
AUDIO = ["a.wav", "b.wav", "c.wav", "d.wav"]


@pytest.mark.parametrize(
    ("name", "mapping"),
    [
        ("map.yaml", "joy: H\nno: N\n01: S\nodd: null\n"),
        ("map.csv", "\ufeffjoy,H\r\nno,N\r\n01,S\r\n"),
        ("map.tsv", "joy\tH\nno\tN\n01\tS\n"),
    ],
)
def test_label_map(corpus, tmp_path, name, mapping):
    (tmp_path / name).write_text(mapping, encoding="utf-8")
    found = corpus(CONTENT, AUDIO, label_map=str(tmp_path / name))
    assert [u.emotion for u in found.utterances] == ["H", "N", "S", None]
    assert any("'odd' is mapped to no class: 1 utterances" in note for note in found.notes)


def test_inventory_decides_if_there_is_one(corpus):
    labels = LabelInventory({"H": "happy", "no": "none"}, {"joy": "H"})
    found = corpus(CONTENT, AUDIO, labels)
    assert [u.emotion for u in found.utterances] == ["H", "no", None, None]


@pytest.mark.parametrize(
    ("name", "mapping", "message"),
    [
        ("map.yaml", "- joy\n", "mapping of label"),
        ("map.yaml", "joy: [a]\n", "mapping of label"),
        ("map.yaml", "joy: 'H\n", "no YAML"),
        ("map.csv", "joy,H\nno\n", "map.csv:2: two columns"),
        ("map.csv", "joy,H\njoy,N\n", "map.csv:2: 'joy' is mapped to 'H' already"),
        ("map.yaml", "joy: H\njoy: N\n", "'joy' is there twice"),
    ],
)
def test_broken_label_maps(corpus, tmp_path, name, mapping, message):
    (tmp_path / name).write_text(mapping)
    with pytest.raises(UserError, match=message):
        corpus(CONTENT, AUDIO, label_map=str(tmp_path / name))


def test_a_missing_label_map(corpus, tmp_path):
    with pytest.raises(UserError, match=r"can't read .*none.yaml"):
        corpus(CONTENT, AUDIO, label_map=str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path\na.wav\nb.wav\nx.wav\ny.wav\n", r"csv:4: there is no file .*x.wav \(and 1 more"),
        ("path\na.wav\nb.wav\na.wav\n", "csv:4: the utterance a is on line 2, too"),
        ("path,id\na.wav,u\nb.wav,u\n", "csv:3: the utterance u is on line 2"),
        ("path,split\na.wav,train\nb.wav,Train\n", "capitals only: Train, train"),
        ("path,id\na.wav,b\nb.wav,\n", "csv:3: the utterance b is on line 2"),
        ("path,id\na.wav,u 1\n", "csv:2: an id can't hold white space: 'u 1'"),
        ("path,speaker\na.wav,A B\nb.wav,A_B\n", "csv:3: speakers 'A B' and 'A_B'"),
        ("path,split\na.wav,train\nb.wav,\n", "csv:3: no split, but"),
        ("path,split\na.wav,../x\n", "csv:2: '../x' can't be the name of a set"),
        ("path,split\na.wav,tokens\n", "csv:2: 'tokens' can't be"),
    ],
)
def test_errors_name_the_line(corpus, content, message):
    with pytest.raises(UserError, match=message):
        corpus(content, ["a.wav", "b.wav"])


def test_seed_must_be_a_number(corpus):
    with pytest.raises(UserError, match="--split_seed must be a whole number, not 'x'"):
        corpus("path\na.wav\n", ["a.wav"], split_seed="x")


def test_remarks(corpus):
    found = corpus(
        "path,emotion,speaker,split,age\na.wav,Joy,s,train,3\nb.wav,joy,s,test,4\n",
        ["a.wav", "b.wav"],
    )
    assert "column 'age' of the manifest has no meaning here" in found.notes
    assert any("1 speakers are in more than one set" in note for note in found.notes)
    assert any("2 spellings of the label 'joy'" in note for note in found.notes)


def test_nemo(shared, tmp_path):
    manifest = shared / "corpora" / "nemo5" / "manifest.csv"
    found = load_corpus("custom", None, tmp_path, {"manifest": str(manifest), "label_map": ""})
    assert len(found.utterances) == 1207
    speakers = {s: {u.speaker for u in found.utterances if u.split == s} for s in ("valid", "test")}
    assert len(speakers["test"]) == 2
    assert len(speakers["valid"]) == 1
    for split in ("train", "valid", "test"):
        assert len(Counter(u.emotion for u in found.utterances if u.split == split)) == 6


def test_librispeech_has_no_emotion(shared, tmp_path):
    found = load(None, tmp_path, str(shared / "corpora" / "librispeech100" / "manifest.csv"))
    assert len(found.utterances) == 100
    assert "the manifest has no emotion: the emotion task can't be trained on it" in found.notes
