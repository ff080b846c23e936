"""Any inventory survives its file, and classes go over by their names alone."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sermtl.data.labels import LabelInventory, load_labels

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
LABELS = st.one_of(
    TEXT, st.sampled_from(["no", "yes", "01", "1e3", "null", "~", "2001-01-01", "N"])
)
LABELS = LABELS.filter(lambda text: text.strip() not in ("", "<unk>"))
NAMES = ["anger", "fear", "joy", "calm", "bored", "sad"]


@st.composite
def inventories(draw):
    labels = draw(st.lists(LABELS, min_size=2, max_size=6, unique=True))
    names = draw(st.permutations(NAMES))[: len(labels)]
    keys = st.one_of(LABELS, st.sampled_from(labels))  # a class's own label, too
    corpus = draw(st.dictionaries(keys, st.sampled_from([*labels, None]), max_size=5))
    elsewhere = draw(st.dictionaries(st.sampled_from(names), st.sampled_from(NAMES), max_size=3))
    return LabelInventory(dict(zip(labels, names, strict=True)), corpus, elsewhere)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("labels") / "labels.yaml"


@given(inventories())
def test_a_file_holds_it_whole(file, inventory):
    with open(file, "w", encoding="utf-8") as stream:
        yaml.safe_dump(vars(inventory), stream, allow_unicode=True, sort_keys=False)
    read = load_labels(file)
    # A class called null is text in every place but as the value of `corpus`, where it is none.
    corpus = {k: None if v in ("null", "~") else v for k, v in inventory.corpus.items()}
    assert (list(read.classes.items()), read.corpus) == (list(inventory.classes.items()), corpus)
    assert read.elsewhere == inventory.elsewhere


@given(inventories(), LABELS)
def test_a_label_is_a_class_or_none(inventory, other):
    for label in {other, *inventory.classes, *inventory.corpus}:
        expected = label if label in inventory.classes else None
        if label in inventory.corpus:
            expected = inventory.corpus[label]
        assert inventory.map(label) == expected
        assert expected is None or expected in inventory.classes


@given(inventories(), inventories())
def test_over_to_another_inventory(one, other):
    assert one.into(one) == {label: label for label in one.classes}
    over = one.into(other)
    assert over.keys() == one.classes.keys()
    for label, name in one.classes.items():
        names = [name, one.elsewhere.get(name)]
        there = [their for wanted in names for their, its in other.classes.items() if its == wanted]
        assert over[label] == (there[0] if there else None)


@given(inventories(), inventories(), inventories())
def test_over_and_on_is_over_at_once_where_names_are_kept(one, other, third):
    plain = [LabelInventory(of.classes) for of in (one, other, third)]
    first, second, at_once = (
        plain[0].into(plain[1]),
        plain[1].into(plain[2]),
        plain[0].into(plain[2]),
    )
    for label, between in first.items():
        if between is not None:
            assert second[between] == at_once[label]
