"""A manifest is read the same however it is written, and divided by what it says alone."""

import csv
import io
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sermtl.corpora.custom import load
from sermtl.corpora.manifest import read_manifest
from sermtl.corpora.manifest_split import Item, divide, stored_split
from sermtl.data.labels import LabelInventory
from sermtl.errors import UserError

# A lone CR, which Python's writer leaves unquoted, is a line end to every reader.
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t")
WORDS = st.text(CHARACTERS, max_size=20)
NAMES = WORDS.filter(lambda text: text.strip() not in ("", "<unk>"))
SECONDS = st.integers(0, 10_000).map(lambda n: n / 100)
FIELDS = {
    "emotion": WORDS,
    "gender": st.sampled_from(["", "m", "F", "male", "Woman", "unknown", "<unk>"]),
    "speaker": WORDS,
    "text": WORDS,
    "split": st.sampled_from(["", "train", "test"]),
    "start": st.one_of(st.just(""), SECONDS.map(str)),
    "id": WORDS,
    "a column of their own": WORDS,
}
GENDERS = {"m": "male", "male": "male", "F": "female", "Woman": "female"}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("manifest") / "table.csv"


@st.composite
def tables(draw):
    """Columns in any order, and rows."""
    names = draw(
        st.permutations(["path", *draw(st.sets(st.sampled_from(sorted(FIELDS)), min_size=1))])
    )
    row = st.fixed_dictionaries({name: FIELDS.get(name, NAMES) for name in names})
    return list(names), draw(st.lists(row, min_size=1, max_size=8))


DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
    }
)


def meaning(name, value):
    """What a field says, spelt out."""
    words = " ".join(value.split())
    if words in ("", "<unk>"):
        return None
    if name == "gender":
        return GENDERS.get(words)
    return float(words) if name == "start" else words


@given(tables(), DIALECTS, st.booleans(), st.booleans())
def test_read_as_it_was_written(file, table, dialect, bom, capitals):
    names, rows = table
    stream = io.StringIO()
    writer = csv.writer(stream, **dialect)
    writer.writerow([name.upper() if capitals else name for name in names])
    writer.writerows([row[name] for name in names] for row in rows)
    file.write_bytes(("\ufeff" * bom + stream.getvalue()).encode())
    found = read_manifest(file)
    assert len(found.rows) == len(rows)
    known = FIELDS.keys() - {"a column of their own"}
    for read, row in zip(found.rows, rows, strict=True):
        assert read.path.strip() == row["path"].strip()
        for name in known:
            assert getattr(read, name) == (meaning(name, row[name]) if name in row else None)
    assert found.ignored == [name for name in names if name not in {"path", *known}]


@st.composite
def corpora(draw):
    speakers = draw(st.lists(st.sampled_from([*"abcdefgh", None]), min_size=3, max_size=40))
    labels = st.sampled_from(["joy", "sad", None]), st.sampled_from(["f", "m", None])
    return [Item(f"u{k:02d}", s, *map(draw, labels)) for k, s in enumerate(speakers)]


@given(corpora(), st.integers(0, 99), st.randoms())
def test_a_split_depends_on_the_seed_and_the_rows_not_on_their_order(items, seed, random):
    try:
        split, _ = divide(items, seed)
    except UserError:
        with pytest.raises(UserError):
            divide(items[::-1], seed)
        return
    assert split.keys() == {item.id for item in items}
    assert set(split.values()) == {"train", "valid", "test"}
    assert divide(random.sample(items, len(items)), seed)[0] == split
    speakers = defaultdict(set)
    for item in items:
        if item.speaker:
            speakers[item.speaker].add(split[item.id])
    if len(speakers) >= 3:
        assert all(len(sets) == 1 for sets in speakers.values())
        on_side = Counter(side for sets in speakers.values() for side in sets)
        assert on_side["test"] >= (2 if len(speakers) >= 5 else 1)
        assert all(split[item.id] == "train" for item in items if item.speaker is None)


@given(corpora(), st.integers(0, 99))
def test_three_speakers_are_always_enough(items, seed):
    items += [Item(f"v{k}", name, "joy", None) for k, name in enumerate("xyz")]
    assert set(divide(items, seed)[0].values()) == {"train", "valid", "test"}


@given(corpora(), st.integers(0, 99))
def test_a_kept_split_is_read_back(tmp_path_factory, items, seed):
    items += [Item(f"v, \"{k}'", name, "joy", None) for k, name in enumerate("xyz")]
    path = tmp_path_factory.mktemp("split") / "split.csv"
    made, _ = stored_split(path, items, "abc", seed)
    read, notes = stored_split(path, items[::-1], "abc", seed)
    assert read == made and "read from" in notes[0]


@given(
    st.lists(st.sampled_from(["joy", "Joy", "no", "01", "~", "a b", "x:y", "é", "#"]), min_size=1),
    st.dictionaries(
        st.sampled_from(["joy", "Joy", "no", "01", "a b", "x:y", "é", "#"]), st.sampled_from("HNSQ")
    ),
    st.booleans(),
)
def test_labels_are_mapped_or_counted(tmp_path_factory, labels, mapping, through_a_table):
    folder = tmp_path_factory.mktemp("map")
    (folder / "a.wav").touch()
    rows = "".join(f"a.wav,u{k},t,{label}\n" for k, label in enumerate(labels))
    (folder / "table.csv").write_text("path,id,split,emotion\n" + rows)
    file = folder / ("map.csv" if through_a_table else "map.yaml")
    form = "{},{}\n" if through_a_table else "'{}': {}\n"
    file.write_text("".join(form.format(*pair) for pair in mapping.items()) or "'unused': N\n")
    if through_a_table and not mapping:
        file.write_text("unused,N\n")
    classes = LabelInventory({"H": "happy", "N": "neutral", "S": "sad"}, {})
    found = load(classes, folder, str(folder / "table.csv"), str(file))
    expected = [mapping.get(label) if mapping.get(label) != "Q" else None for label in labels]
    assert [u.emotion for u in found.utterances] == expected
    told = Counter()
    for note in found.notes:
        if "is mapped to no class: " in note:
            told[note.split("'")[1]] = int(note.split("class: ")[1].split()[0])
    lost = Counter(label for label, of in zip(labels, expected, strict=True) if of is None)
    assert told == lost
