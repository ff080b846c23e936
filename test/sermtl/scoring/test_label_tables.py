"""Answers and references from tables of other makers, and from a data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from sermtl.data.datadir import write_column
from sermtl.errors import UserError
from sermtl.scoring.label_tables import read_pair

REFERENCE = """\
FileName,EmoClass,Gender,SpkrID,text
a.wav,A,Female,1,Well... Yes!
b.wav, N ,male,2,
c.wav,,,,...
d.wav,H,F,1,ok
"""
HYPOTHESIS = """\
path\temotion\tgender\tspeaker\ttranscript
x/d.flac\tN\tm\t9\tOK
x/b.flac\tA\tfemale\t9\t
x/a.flac\tA\tf\t9\tWell, yes
x/c.flac\tS\t\t9\tno
x/e.flac\tA\tf\t9\tmore
x/f.flac\tA\tf\t9\tmore
"""


def pair(folder: Path, reference: str = REFERENCE, hypothesis: str = HYPOTHESIS):
    for name, content in (("ref.csv", reference), ("hyp.csv", hypothesis)):
        (folder / name).write_text(content)
    return read_pair(folder / "ref.csv", folder / "hyp.csv")


def test_tables_are_joined_by_the_names_of_files(tmp_path: Path) -> None:
    predicted, notes = pair(tmp_path)
    assert predicted.ids == ["a", "b", "c", "d"] and predicted.name == ""
    assert predicted.references == {
        "emotion": ["A", "N", "<unk>", "H"],
        "gender": ["female", "male", "<unk>", "female"],
        "speaker": ["1", "2", "<unk>", "1"],
        "text": ["well yes", "<unk>", "<unk>", "ok"],
    }
    assert predicted.answers == {
        "emotion": ["A", "A", "S", "N"],
        "gender": ["female", "female", "", "male"],
        "transcript": ["well yes", "", "no", "ok"],
    }
    assert predicted.classes == ["A", "H", "N", "S"]
    rows = [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    assert predicted.probabilities.tolist() == rows
    assert predicted.probabilities.dtype == float
    assert predicted.task_weights == {} and predicted.embeddings is None
    assert predicted.text_sources == ["corpus"] * 4 and predicted.text_form == "plain"
    assert predicted.training_texts is None
    assert notes == [
        f"2 answers of {tmp_path}/hyp.csv are left out, since {tmp_path}/ref.csv hasn't their "
        "utterances, e.g. e",
        "1 answers are 'S', which no reference is",
    ]


def test_ids_that_are_the_same_are_no_file_names(tmp_path: Path) -> None:
    predicted, notes = pair(tmp_path, "id,emotion\nx.1,A\nx.2,N\n", "id,emotion\nx.2,N\nx.1,N\n")
    assert predicted.ids == ["x.1", "x.2"] and predicted.answers == {"emotion": ["N", "N"]}
    assert predicted.references["text"] == predicted.references["gender"] == ["<unk>"] * 2
    assert notes == []


def test_a_data_folder_has_the_references(tmp_path: Path) -> None:
    write_column(tmp_path / "utt2emo", {"a": "A", "b": "<unk>"})
    write_column(tmp_path / "utt2spk", {"a": "<unk>", "b": "s"})
    (tmp_path / "hyp.csv").write_text("id,emotion\nb,A\na,A\n")
    predicted, _ = read_pair(tmp_path, tmp_path / "hyp.csv")
    assert predicted.references == {
        "emotion": ["A", "<unk>"],
        "gender": ["<unk>", "<unk>"],
        "speaker": ["<unk>", "s"],
        "text": ["<unk>", "<unk>"],
    }
    assert predicted.classes == ["A"]
    (tmp_path / "utt2emo").unlink()
    with pytest.raises(UserError, match="utt2emo"):
        read_pair(tmp_path, tmp_path / "hyp.csv")


@pytest.mark.parametrize(
    ("reference", "hypothesis", "message"),
    [
        ("id,emotion\na,A\nb,A\nc,A\n", "id,emotion\nc,A\n", r"hyp.csv has no answer for 2 of 3 "),
        ("id,emotion\na,A\nb,A\nc,A\n", "id,emotion\nc,A\n", r"ref.csv, e.g. a$"),
        ("id,emotion\n ,A\n", "id,emotion\na,A\n", "ref.csv:2: the id is empty$"),
        ("id,emotion\na,A\na,N\n", "id,emotion\na,A\n", "ref.csv:3: a appears twice$"),
        ("id,emotion\na,A\n", "id,emotion\na,\n", "hyp.csv:2: the answer for a is empty$"),
        ("id,emotion\na,A\n", "id,emotion\na,<unk>\n", "hyp.csv:2: the answer for a is empty$"),
        ("id,emotion,gender\na,A,femme\n", "id,emotion\na,A\n", "ref.csv:2: .*femme"),
        (
            "path,emotion\nx/a.wav,A\ny/a.wav,A\n",
            "id,emotion\na,A\n",
            "ref.csv: y/a.wav and x/a.wav have",
        ),
        (
            "id,emotion\na,A\n",
            "id,emotion\nx/a,A\ny/a,A\n",
            "hyp.csv: y/a and x/a have the same name$",
        ),
        (
            "utt,emotion\na,A\n",
            "id,emotion\na,A\n",
            "ref.csv: its first line must name a column id or path or FileName and a column "
            "emotion or EmoClass; it names utt, emotion$",
        ),
        ("id,label\na,A\n", "id,emotion\na,A\n", "it names id, label$"),
    ],
)
def test_what_cannot_be_scored(
    tmp_path: Path, reference: str, hypothesis: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        pair(tmp_path, reference, hypothesis)
