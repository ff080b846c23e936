"""What stage 6 left beside the references, small enough to be told by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sermtl.data.audio import audio_files
from sermtl.data.datadir import write_column
from sermtl.errors import UserError
from sermtl.scoring.predictions import (
    Predicted,
    read_extra_labels,
    read_predictions,
    read_training_texts,
)
from sermtl.stage import Stage

REFERENCES = {
    "utt2emo": ["A", "N", "<unk>"],
    "utt2gender": ["male", "<unk>", "female"],
    "utt2spk": ["s1", "s2", "<unk>"],
    "text": ["Well... Yes!", "<unk>", "..."],
}
TABLE = """\
id,weight_gender,emotion,prob_N,prob_A,gender,transcript,seconds
u2,1.000000,N,0.600000,0.400000,male,,1
u0,0.250000,A,0.333333,0.666666,male,"WELL, yes",2
u1,0.500000,A,0.010000,0.990000,female,no,3
"""


class Answered:
    """A set's folder and its answers."""

    def __init__(self, folder: Path) -> None:
        self.dump, self.answers = folder / "dump", folder / "answers"
        for file, values in REFERENCES.items():
            write_column(self.dump / file, {f"u{i}": value for i, value in enumerate(values)})
        self.answers.mkdir()
        self.table = self.answers / "predictions.csv"
        self.table.write_text(TABLE)
        self.embed(["u1", "u2", "u0"])
        Stage(self.answers / "done.json", {}, audio_files(self.dump)).finish([])

    def embed(self, ids: list[str], rows: int = 3) -> None:
        embeddings = np.arange(2.0 * rows, dtype=np.float32).reshape(rows, 2)
        np.savez(self.answers / "speaker_embeddings.npz", ids=ids, embeddings=embeddings)

    def read(self, extra: dict | None = None, **options: object) -> Predicted:
        return read_predictions(self.answers, self.dump, extra or {}, **options)


@pytest.fixture
def answered(tmp_path: Path) -> Answered:
    return Answered(tmp_path)


def test_all_is_in_the_order_of_the_set(answered: Answered) -> None:
    part = answered.read()
    assert (part.name, part.ids, part.classes) == ("", ["u0", "u1", "u2"], ["N", "A"])
    assert part.probabilities.tolist() == [[0.333333, 0.666666], [0.01, 0.99], [0.6, 0.4]]
    assert part.references == {
        "emotion": ["A", "N", "<unk>"],
        "gender": ["male", "<unk>", "female"],
        "speaker": ["s1", "s2", "<unk>"],
        "text": ["well yes", "<unk>", "<unk>"],
    }
    assert part.answers == {
        "emotion": ["A", "A", "N"],
        "gender": ["male", "female", "male"],
        "transcript": ["well yes", "no", ""],
    }
    assert {task: weights.tolist() for task, weights in part.task_weights.items()} == {
        "gender": [0.25, 0.5, 1.0]
    }
    assert part.embeddings is not None
    assert part.embeddings.tolist() == [[4, 5], [0, 1], [2, 3]]
    assert part.text_sources == ["corpus"] * 3 and part.text_form == "plain"
    assert part.training_texts is None and part.unreadable == 0
    answered.embed(["u0", "u1", "u2"])
    embeddings = answered.read().embeddings
    assert embeddings is not None and embeddings.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_what_else_is_known(answered: Answered) -> None:
    (answered.dump / "unreadable.txt").write_text("u3: cut off\nu4: empty\n")
    (answered.dump / "text.corpus").touch()
    (answered.answers / "speaker_embeddings.npz").unlink()
    extra = {"gender": {"u1": "male"}, "text": {"u1": "It's 2!"}}
    options = {"name": "fold1", "training_texts": {"a"}, "text_form": "english"}
    part = answered.read(extra, **options)
    assert part.references["gender"] == ["male", "male", "female"]
    assert part.references["text"] == ["well yes", "it is 2", "<unk>"]
    assert part.text_sources == ["whisper", "extra", "whisper"]
    assert (part.name, part.training_texts, part.text_form) == ("fold1", {"a"}, "english")
    assert part.unreadable == 2 and part.embeddings is None


def test_the_likeliest_of_the_allowed(answered: Answered) -> None:
    part = answered.read()
    assert part.emotions(["A", "N"]).tolist() == [0, 0, 1]
    assert part.emotions(["N"]).tolist() == [0, 0, 0]
    part.probabilities[:] = 0.5  # rounded: what was answered is known better
    assert part.emotions(["N", "A"]).tolist() == [1, 1, 0]
    part.classes, part.probabilities = ["N", "A", "X"], np.array([[0.1, 0.2, 0.7]] * 3)
    part.answers["emotion"] = ["X"] * 3
    assert part.emotions(["A", "N"]).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("u2,1", "u0,1", r"csv:3: u0 appears twice$"),
        ("u2,", "u9,", r"csv lacks utterances of .*dump \(1\): u2; run stage 6 again$"),
        ("u2,1", "u9,1,N,1,0,,,\nu2,1", r"csv has utterances that .*dump lacks \(1\): u9; run"),
        ("emotion,", "feeling,", r"csv has no columns emotion and prob_<class>: run stage 6 again"),
        ("prob_", "p_", r"csv has no columns emotion and prob_<class>: run stage 6 again"),
        ("id,", "name,", r"csv has no column 'id' in its first line$"),
        ("gender,tr", "emotion,tr", r"csv:1: a column is there twice: id, .*, emotion, transc"),
        ("0,A,0.3", "0,B,0.3", r"csv: emotion of u0 is 'B'$"),
        ("0.600000", "0.620000", r"csv:2: the probabilities of u2 sum to 1.02$"),
        ("0.600000", "nan", r"csv:2: prob_N of u2 is 'nan', not a number from 0 to 1$"),
        ("0.600000", "-0.1", r"csv:2: prob_N of u2 is '-0.1', not"),
        ("1.000000", "1.1", r"csv:2: weight_gender of u2 is '1.1', not"),
        ("1.000000", "x", r"csv:2: weight_gender of u2 is 'x', not"),
        (TABLE, "", r"csv has no column 'id' in its first line$"),
        ('"WELL', '"WELL" ', r"csv:3: "),
        (",1\n", "\n", r"csv:2: not as many values as the first line has columns$"),
    ],
)
def test_damaged_tables_are_told(answered: Answered, old: str, new: str, message: str) -> None:
    assert old in TABLE
    answered.table.write_text(TABLE.replace(old, new))
    with pytest.raises(UserError, match=message):
        answered.read()


def test_shares_may_be_rounded(answered: Answered) -> None:
    answered.table.write_text(TABLE.replace("0.600000", "0.609000").replace("1.000000", "1.009"))
    assert answered.read().probabilities[2].tolist() == [0.609, 0.4]


def test_tables_are_utf_8_with_or_without_a_mark(answered: Answered) -> None:
    answered.table.write_bytes(
        TABLE.replace("WELL", "\N{LATIN SMALL LETTER E WITH ACUTE}").encode()
    )
    plain = answered.read().answers
    answered.table.write_bytes(b"\xef\xbb\xbf" + answered.table.read_bytes())
    assert answered.read().answers == plain
    answered.table.write_bytes(b"\xff" + TABLE.encode())
    with pytest.raises(UserError, match=r"csv is not UTF-8 text: .*0xff"):
        answered.read()


def test_other_faults(answered: Answered) -> None:
    answered.embed(["u0", "u1"], rows=2)
    with pytest.raises(UserError, match=r"npz lacks utterances of .*dump \(1\): u2; run"):
        answered.read()
    answered.embed(["u0", "u1", "u1"])
    with pytest.raises(UserError, match=r"npz: damaged \(2 ids, 3 embeddings\): run stage 6"):
        answered.read()
    ids = [f"u{i}" for i in range(7)]
    answered.embed(ids, rows=7)
    with pytest.raises(UserError, match=r"dump lacks \(4\): u3, u4, u5, …; run stage 6 again$"):
        answered.read()
    answered.embed(ids[:6], rows=6)
    with pytest.raises(UserError, match=r"dump lacks \(3\): u3, u4, u5; run stage 6 again$"):
        answered.read()
    (answered.dump / "wav.scp").write_text("u0 other\n")
    with pytest.raises(UserError, match=r"csv: not made from the audio of .*dump: run stage 6"):
        answered.read()
    answered.table.unlink()
    with pytest.raises(UserError, match=r"csv is missing: run stage 6 \(inference\) first$"):
        answered.read()
    write_column(answered.dump / "utt2spk", {"u0": "s", "u1": "s"})
    with pytest.raises(UserError, match=r"utt2spk and utt2emo differ in 1 utterances, e\.g\. u2: "):
        answered.read()


def test_training_texts_are_normalised(tmp_path: Path) -> None:
    write_column(tmp_path / "a" / "text", {"u": "Nice, COLOUR", "v": "<unk>"})
    write_column(tmp_path / "b" / "text", {"w": "it's", "x": "nice colour"})
    assert read_training_texts(tmp_path, ["a", "b"]) == {"nice colour", "it's"}
    assert read_training_texts(tmp_path, ["a", "b"], "english") == {"nice color", "it is"}


def test_extra_labels(tmp_path: Path) -> None:
    path = tmp_path / "extra.csv"
    path.write_text("id,gender,text\nu1,F,\nu2,,some words\n")
    expected = {"gender": {"u1": "female"}, "text": {"u2": "some words"}}
    assert read_extra_labels(path) == expected
    for content, message in (
        ("id,sex\nu1,f\n", "column 'sex' is none of id, emotion, gender, speaker, text$"),
        ("utt,gender\nu1,f\n", "extra.csv:1: .* no column `id`"),
        ("id,gender\nu1,f\nu1,m\n", "extra.csv:3: u1 appears twice"),
        ("id,gender\nu1\n", "extra.csv:2: 1 fields"),
        ("id,gender\nu1,femme\n", "extra.csv:2: gender must be"),
    ):
        path.write_text(content)
        with pytest.raises(UserError, match=message):
            read_extra_labels(path)


def test_answers_without_their_embeddings_are_not_whole(answered: Answered) -> None:
    embeddings = answered.answers / "speaker_embeddings.npz"
    done = Stage(answered.answers / "done.json", {}, audio_files(answered.dump))
    done.finish([answered.table, embeddings])
    assert answered.read().embeddings is not None
    embeddings.unlink()
    with pytest.raises(UserError, match=f"^{answered.answers} isn't as stage 6 leaves it"):
        answered.read()
