"""The paper's tables: its own cells, ours, and no column without a figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from sermtl.scoring.ablation import ABLATIONS, PROPOSED
from sermtl.scoring.paper_tables import ablations_md, p_value, read_published

MIXING = {PROPOSED: "learnable", "last_layer": "last"}
FACTS = {"commands": ["./run.sh --ablations", "then"], "commit": "abc"}


@pytest.fixture
def published(root: Path) -> dict:
    return read_published(root / "conf" / "published.yaml")


def figures(*titles: str) -> dict:
    """Every system has a macro-F1 of its own, so that a cell in the wrong row shows."""
    result: dict = {}
    for k, name in enumerate((PROPOSED, *ABLATIONS)):
        value = {"value": 0.5 - k / 100, "low": 0.4 - k / 100, "high": 0.6 - k / 100}
        value["unit"] = "speakers"
        scores = dict.fromkeys(("macro_f1", "micro_f1", "accuracy"), value)
        scores |= {"n": 100, "labels": ["a", "b"]}
        scores["majority"] = {"label": "a", "macro_f1": 0.3, "accuracy": 0.55}
        if name != PROPOSED:
            tests = {"macro_f1": {"p": k / 1000}, "accuracy": {"p": k / 100}}
            scores["against_proposed"] = tests
        result[name] = dict.fromkeys(titles, scores)
    return result


def page(of: dict, published: dict, recipe: str = "msp_podcast", mixing: dict = MIXING) -> str:
    return ablations_md(of, published, recipe, mixing, FACTS)


def rows(text: str, table: int) -> list[list[str]]:
    block = text.split("## Table ")[table].split("\n\n")[1]
    return [[c.strip() for c in line.strip("|").split("|")] for line in block.splitlines()]


def test_published_figures_stand_in_their_own_column(published):
    text = page(figures("test3", "emotiw2018_val"), published)
    header, _, *body = rows(text, 1)
    columns = ["test set", "model"]
    for name in ("F1 macro", "F1 micro", "accuracy"):
        columns += [name, "p", f"{name}, published"]
    assert header == columns
    assert body[0] == [
        *("test3", "Baseline"),
        *("49.0 [39.0, 59.0]", ".001", "29.83"),
        *("49.0 [39.0, 59.0]", ".010", "33.84"),
        *("49.0 [39.0, 59.0]", ".010", "33.84"),
    ]
    assert body[1][:5] == ["test3", "Proposed", "50.0 [40.0, 60.0]", "–", "35.49"]
    assert [row[0] for row in body] == ["test3"] * 2 + ["emotiw2018_val"] * 2
    assert "Published figures of emotiw2018_val: the paper doesn't say which clips" in text
    assert "In %, with 95 % bootstrap intervals" in text
    assert "*Published* is what the paper prints (Wang et al." in text
    assert "WavLM-large trained on msp_podcast" in text


def test_rows_are_the_papers(published):
    text = page(figures("meiju2025_valid"), published)
    assert [row[1] for row in rows(text, 2)[2:]] == [
        *("Baseline", "Ours w/o MTL", "Ours w/o co-attention", "Ours w/o SWFC loss", "Ours")
    ]
    assert [row[4] for row in rows(text, 2)[2:]] == ["16.79", "17.79", "20.60", "21.65", "21.93"]
    leads = [row[1 : 5 if k == 3 else 2] for k in (2, 3, 4) for row in rows(text, k)[:1]]
    assert leads == [["approach"], ["SER", "ASR", "gender", "speaker"], ["features"]]
    ticks = rows(text, 3)[2:]
    assert [row[1:5] for row in ticks][1] == ["✓", "✓", "×", "×"]
    header = rows(text, 3)[0]
    accuracy = header.index("SER accuracy, published")
    assert [row[accuracy] for row in ticks] == ["23.60", "26.66", "23.38", "23.18", "28.17"]
    # Figures that we lack keep their heading beside the published ones.
    wer = header.index("ASR WER, published")
    assert [row[wer] for row in ticks] == ["–", "23.57", "–", "–", "25.56"]
    assert [row[1] for row in rows(text, 4)[2:]] == ["Last", "Learnable"]


def test_other_recipes_have_nothing_published(published):
    """The paper's systems learnt from MSP-Podcast: beside others its figures would mislead."""
    text = page(figures("test", "emotiw2018_val"), published, "iemocap")
    assert "ublished" not in text and "WER" not in text and "–" in text


def test_mixes_that_are_not_the_papers(published):
    text = page(figures("emotiw2018_val"), published, mixing={**MIXING, PROPOSED: "concat"})
    last, proposed = rows(text, 4)[2:]
    assert last[4] == "27.50" and proposed[1] == "All layers side by side"
    assert proposed[4] == "–"  # not the paper's 29.41, which is of the learnable mix
    text = page(figures("emotiw2018_val"), published, mixing={**MIXING, PROPOSED: "last"})
    last, proposed = rows(text, 4)[2:]
    assert (last[2], proposed[2]) == ("45.0 [35.0, 55.0]", "50.0 [40.0, 60.0]")


def test_unlabelled_sets_show_the_published_figures_alone(published):
    """MSP-Podcast's Test3 has no public labels: there is nothing of ours to show."""
    bare = {name: {"test3": {"n": 0, "n_unlabelled": 3200}} for name in (PROPOSED, *ABLATIONS)}
    text = page(bare, published)
    header, _, *body = rows(text, 1)
    names = ("F1 macro", "F1 micro", "accuracy")
    assert header == ["test set", "model", *(f"{name}, published" for name in names)]
    assert body[1] == ["test3", "Proposed", "35.49", "36.75", "36.75"]
    assert "- test3: 3200 utterances without labels" in text


def test_the_page_says_what_the_figures_are_of(published):
    of = figures("emotiw2018_val")
    for sets in of.values():
        scores = dict(sets["emotiw2018_val"])
        scores |= {"models": 5, "wer_n": 90, "wer_reference": "corpus+whisper"}
        scores |= {"wer": scores["macro_f1"], "open": {"macro_f1": {"value": 0.123}}}
        sets["emotiw2018_val"] = scores
    text = page(of, published)
    assert (
        "- emotiw2018_val: 100 utterances, 2 classes of the test corpus to choose from (figures "
        "among all classes below), all answered by each of 5 models; intervals over speakers; WER "
        "on 90 utterances against the corpus's transcripts and Whisper's transcripts; always "
        "answering a: F1 macro 30.0, accuracy 55.0" in text
    )
    among_all = text.split("## Among all classes")[1]
    assert "| emotiw2018_val | proposed | 12.3 |" in among_all
    assert "| test set | system |" in " ".join(among_all.split())
    assert "\n```sh\n./run.sh --ablations\nthen\n```\n\nCommit: abc\n" in text
    assert "Among all classes" not in page(figures("test"), published)


def test_systems_that_lack_a_set_have_empty_cells(published):
    of = figures("test")
    of["wo_mtl"] = {}
    baseline, without, *_ = rows(page(of, published, "iemocap"), 2)[2:]
    assert baseline[2] == "49.0 [39.0, 59.0]" and set(without[2:]) == {"–"}


def test_every_system_of_the_data_file_is_a_conf(root, published):
    confs = {path.stem for path in (root / "conf" / "ablation").glob("*.yaml")}
    assert confs == set(ABLATIONS)
    assert (root / "egs" / published["recipe"] / "recipe.conf").exists()
    for of in published["figures"].values():
        assert set(of) <= {PROPOSED, *ABLATIONS}


@pytest.mark.parametrize(("p", "text"), [(0.0321, ".032"), (0.0002, "< .001"), (1.0, "1.000")])
def test_p_values(p, text):
    assert p_value(p) == text
