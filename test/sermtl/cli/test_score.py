"""`sermtl score`, against scikit-learn and jiwer."""

import json

import jiwer
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score

from sermtl.cli import main as cli

EMOTIONS = ["anger", "neutral", "sadness"]


@pytest.fixture
def tables(tmp_path):
    random = np.random.default_rng(0)
    told, said = (random.choice(EMOTIONS, 60).tolist() for _ in range(2))
    rows = list(zip(told, said, strict=True))
    reference, hypothesis = tmp_path / "ref.tsv", tmp_path / "hyp.csv"
    reference.write_text(
        "path\temotion\tgender\tspeaker\ttext\n"
        + "".join(f"x/u{i}.wav\t{t}\tf\ts{i % 12}\tone two {i}\n" for i, (t, _) in enumerate(rows))
    )
    hypothesis.write_text(
        "id,emotion,gender,transcript\n"
        + "".join(
            f"/y/u{i}.flac,{s},{'male' if i % 4 else 'female'},One two.\n"
            for i, (_, s) in reversed(list(enumerate(rows)))
        )
    )
    return reference, hypothesis, told, said


def scores(*tables, capsys):
    cli(["score", *map(str, tables), "--json"])
    return json.loads(capsys.readouterr().out)["hyp"]


def test_figures(tables, capsys):
    reference, hypothesis, told, said = tables
    found = scores(reference, hypothesis, capsys=capsys)
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(told, said, average="macro"))
    assert found["uar"]["value"] == pytest.approx(recall_score(told, said, average="macro"))
    assert found["accuracy"]["value"] == pytest.approx(accuracy_score(told, said))
    assert found["accuracy"]["unit"] == "speakers"
    assert found["gender_accuracy"]["value"] == pytest.approx(0.25)
    wer = jiwer.wer([f"one two {i}" for i in range(60)], ["one two"] * 60)
    assert found["wer"]["value"] == pytest.approx(wer)
    cli(["score", str(reference), str(hypothesis)])
    assert "macro-F1" in capsys.readouterr().out


def test_a_data_folder_as_reference(tables, tmp_path, capsys):
    _, hypothesis, told, said = tables
    (tmp_path / "set").mkdir()
    lines = sorted(f"u{i} {t}\n" for i, t in enumerate(told))
    (tmp_path / "set" / "utt2emo").write_text("".join(lines))
    found = scores(tmp_path / "set", hypothesis, capsys=capsys)
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(told, said, average="macro"))
    assert found["accuracy"]["unit"] == "utterances"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("anger", "anger,too much"), "hyp.csv:"),
        (("id,", "name,"), "must name a column id or path or FileName"),
        (("/y/u3.flac", "/y/u4.flac"), "appears twice"),
        (("/y/u3.flac", "/y/z.flac"), "no answer for 1 of 60 utterances"),
        (("male", "man?"), "gender must be"),
    ],
)
def test_bad_tables_are_named(tables, capsys, change, message):
    reference, hypothesis, *_ = tables
    hypothesis.write_text(hypothesis.read_text().replace(*change, 1))
    with pytest.raises(SystemExit) as ended:
        cli(["score", str(reference), str(hypothesis)])
    assert ended.value.code == 1
    assert message in capsys.readouterr().err


def test_a_table_that_is_not_there(tmp_path, capsys):
    with pytest.raises(SystemExit):
        cli(["score", str(tmp_path / "ref.csv"), str(tmp_path / "hyp.csv")])
    assert "ref.csv: No such file" in capsys.readouterr().err
