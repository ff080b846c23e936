"""Any answers survive their table, and tables from anywhere are told apart by what they say."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sermtl.files import atomic_write
from sermtl.inference import write_rows
from sermtl.scoring.label_tables import read_pair
from sermtl.scoring.predictions import _read_table, read_extra_labels

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
IDS = st.lists(TEXT.map(str.strip).filter(bool), min_size=1, max_size=8, unique=True).filter(
    lambda ids: not any("\0" in utt_id for utt_id in ids)  # a NUL is no text
)
LABELS = TEXT.map(str.strip).filter(lambda text: text not in ("", "<unk>") and "\0" not in text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@given(IDS, st.data())
def test_a_table_of_answers(folder, ids, data):
    rows = []
    for utt_id in ids:
        share = data.draw(st.floats(0, 1))
        row = {"id": utt_id, "emotion": data.draw(TEXT), "prob_a": f"{share:.6f}"}
        row |= {'prob_b,"': f"{1 - share:.6f}", "transcript": data.draw(TEXT)}
        rows.append(row)
    with atomic_write(folder / "predictions.csv") as stream:
        write_rows(stream, rows, header=True)
    with open(folder / "predictions.csv", encoding="utf-8", newline="") as stream:
        assert list(csv.DictReader(stream)) == rows
    read = _read_table(folder / "predictions.csv")
    for column in ("id", "emotion", "transcript"):
        assert read.texts[column] == [row[column] for row in rows]
    assert np.allclose(read.numbers["prob_a"], [float(row["prob_a"]) for row in rows])


@given(IDS, st.data())
def test_pairs_of_tables(folder, ids, data):
    """References and answers in any order are put side by side; what is unknown stays so."""
    told = {u: data.draw(st.one_of(LABELS, st.sampled_from(["", "<unk>"]))) for u in ids}
    said = {u: data.draw(LABELS) for u in ids}
    delimiter = data.draw(st.sampled_from([",", "\t", ";"]))
    for name, column in (("ref.csv", told), ("hyp.csv", said)):
        stream = io.StringIO()
        writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        rows = data.draw(st.permutations(list(column.items())))
        writer.writerows([["id", "emotion"], *rows])
        (folder / name).write_text(stream.getvalue(), encoding="utf-8", newline="")
    part, notes = read_pair(folder / "ref.csv", folder / "hyp.csv")
    for k, utt_id in enumerate(part.ids):
        assert part.references["emotion"][k] == (told[utt_id] or "<unk>")
        assert part.answers["emotion"][k] == said[utt_id]
        assert part.classes[part.emotions(part.classes)[k]] == said[utt_id]
    assert sorted(part.ids) == sorted(ids)
    strange = sum(label not in told.values() for label in said.values())
    assert sum(int(note.split()[0]) for note in notes) == strange


@given(IDS, st.data())
def test_further_labels(folder, ids, data):
    values = st.one_of(st.just(""), LABELS)
    table = {u: (data.draw(values), data.draw(values)) for u in ids}
    with open(folder / "extra.csv", "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerows([["id", "text", "speaker"], *([u, *row] for u, row in table.items())])
    for k, column in enumerate(("text", "speaker")):
        known = {u: row[k] for u, row in table.items() if row[k]}
        assert read_extra_labels(folder / "extra.csv")[column] == known
