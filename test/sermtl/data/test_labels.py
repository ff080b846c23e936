import pytest

from sermtl.data.labels import load_labels
from sermtl.errors import UserError


def test_classes_in_order_and_the_corpus_map(tmp_path):
    file = tmp_path / "labels.yaml"
    file.write_text("classes: {N: neutral, A: anger}\ncorpus: {'01': N, calm: N, odd: null}\n")
    labels = load_labels(file)
    assert list(labels.classes) == ["N", "A"]
    assert [labels.map(x) for x in ("01", "calm", "A", "odd", "new")] == ["N", "N", "A", None, None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "can.t read"),
        ("classes: [", "no YAML"),
        ("classes: [a]", "mapping"),
        ("classes: {a: b}\ncorpus: {x: c}", "none of"),
        ("classes: {a: b}\ncorpus: [x]", "corpus"),
        ("classes: {a: [b]}", "one name"),
        ("classes: {a: x, b: x}", "two classes are named 'x'"),
        ("classes: {a: b}\nelsewhere: {a: c}", "'a', which names none"),
        ("classes: {a: b}\nelsewhere: [x]", "elsewhere"),
        ("classes: {a: b, c: ' '}", "'c', nor be named ' '"),
        ("classes: {a: b, '': c}", "'', nor be named 'c'"),
        ("classes: {a: b, <unk>: c}", "'<unk>', nor"),
        ("classes: {a: b}", "two or more, not a$"),
        ("classes: {}", "two or more, not 0$"),
    ],
)
def test_bad_files_are_named(tmp_path, content, message):
    file = tmp_path / "labels.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=message) as error:
        load_labels(file)
    assert "labels.yaml" in str(error.value)


def test_labels_are_text_whatever_yaml_thinks_of_them(tmp_path):
    file = tmp_path / "labels.yaml"
    file.write_text("classes:\n  no: neutral\n  1: one\ncorpus:\n  01: no\n  y: ~\n  null: 1\n")
    labels = load_labels(file)
    assert labels.classes == {"no": "neutral", "1": "one"}
    assert labels.corpus == {"01": "no", "y": None, "null": "1"}


def test_every_recipes_labels_load(root):
    files = sorted(root.glob("egs/*/labels.yaml"))
    assert files
    for file in files:
        assert len(load_labels(file).classes) > 1


def test_a_corpus_in_another_ones_classes(root):
    """RAVDESS in MSP-Podcast's letters: by name, and calm, which they lack, as neutral."""
    ravdess = load_labels(root / "egs/ravdess/labels.yaml")
    letters = load_labels(root / "egs/demo/labels.yaml")
    assert ravdess.into(letters) == {
        "neutral": "N",
        "calm": "N",
        "happy": "H",
        "sad": "S",
        "angry": "A",
        "fearful": "F",
        "disgust": "D",
        "surprised": "U",
    }
    assert letters.into(ravdess)["C"] is None  # no contempt in RAVDESS
    assert ravdess.into(ravdess) == {label: label for label in ravdess.classes}


def test_recipes_call_the_same_emotion_the_same(root):
    """Else models couldn't be tested across corpora: labels.yaml's names meet in one vocabulary."""
    names = {
        *("anger", "happiness", "sadness", "fear", "surprise", "contempt", "disgust", "neutral"),
        *("calm", "boredom"),
    }
    for file in root.glob("egs/*/labels.yaml"):
        assert set(load_labels(file).classes.values()) <= names, file
