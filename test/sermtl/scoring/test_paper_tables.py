"""The paper's tables: its own cells, ours, and no column without a figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from sermtl.scoring.ablation import ABLATIONS, PROPOSED
from sermtl.scoring.paper_tables import ablations_md, p_value, paper_tables, read_published

MIXING = {PROPOSED: "learnable", "last_layer": "last"}


@pytest.fixture
def published(root: Path) -> dict:
    return read_published(root / "conf" / "published.yaml")


def figures(*titles: str) -> dict:
    """Every system has a macro-F1 of its own, so that a cell in the wrong row shows."""
    result: dict = {}
    for k, name in enumerate((PROPOSED, *ABLATIONS)):
        value = {"value": 0.5 - k / 100, "low": 0.4 - k / 100, "high": 0.6 - k / 100}
        scores = dict.fromkeys(("macro_f1", "micro_f1", "accuracy"), value) | {"n": 100}
        if name != PROPOSED:
            tests = {"macro_f1": {"p": k / 1000}, "accuracy": {"p": k / 100}}
            scores["against_proposed"] = tests
        result[name] = dict.fromkeys(titles, scores)
    return result


def rows(text: str, table: int) -> list[list[str]]:
    block = text.split("## Table ")[table].split("\n\n")[1]
    return [[c.strip() for c in line.strip("|").split("|")] for line in block.splitlines()]


def test_published_figures_stand_in_their_own_column(published):
    text = paper_tables(figures("test3", "emotiw2018_val"), published, "msp_podcast", MIXING)
    header, _, *body = rows(text, 1)
    columns = ["test set", "model"]
    for name in ("F1 macro", "F1 micro", "accuracy"):
        columns += [name, "p", "published"]
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


def test_rows_are_the_papers(published):
    text = paper_tables(figures("meiju2025_valid"), published, "msp_podcast", MIXING)
    assert [row[1] for row in rows(text, 2)[2:]] == [
        *("Baseline", "Ours w/o MTL", "Ours w/o co-attention", "Ours w/o SWFC loss", "Ours")
    ]
    assert [row[4] for row in rows(text, 2)[2:]] == ["16.79", "17.79", "20.60", "21.65", "21.93"]
    ticks = rows(text, 3)[2:]
    assert [row[1:5] for row in ticks][1] == ["✓", "✓", "×", "×"]
    accuracy = rows(text, 3)[0].index("published")
    assert [row[accuracy] for row in ticks] == ["23.60", "26.66", "23.38", "23.18", "28.17"]
    assert [row[1] for row in rows(text, 4)[2:]] == ["Last", "Learnable"]


def test_no_column_without_a_figure(published):
    text = paper_tables(figures("test"), published, "ravdess", MIXING)
    assert "published" not in text and "WER" not in text and "–" in text
    mixing = {**MIXING, PROPOSED: "concat"}
    assert "side by side" in paper_tables(figures("test"), published, "ravdess", mixing)


def test_unlabelled_sets_show_the_published_figures_alone(published):
    """MSP-Podcast's Test3 has no public labels: there is nothing of ours to show."""
    bare = {name: {"test3": {"n": 0}} for name in (PROPOSED, *ABLATIONS)}
    header, _, *body = rows(paper_tables(bare, published, "msp_podcast", MIXING), 1)
    assert header == ["test set", "model", "published", "published", "published"]
    assert body[1] == ["test3", "Proposed", "35.49", "36.75", "36.75"]


def test_the_page_says_what_it_is(published):
    facts = {"commands": ["./run.sh --ablations"], "commit": "abc"}
    page = ablations_md(figures("test3"), published, "msp_podcast", MIXING, facts)
    assert "*Published* is what the paper prints (Wang et al." in page
    assert "./run.sh --ablations\n" in page and "utterances with an emotion: test3 100" in page
    assert "*Published*" not in ablations_md(figures("x"), published, "ravdess", MIXING, facts)


def test_every_system_of_the_data_file_is_a_conf(root, published):
    confs = {path.stem for path in (root / "conf" / "ablation").glob("*.yaml")}
    assert confs == set(ABLATIONS)
    for of in published["figures"].values():
        assert set(of) <= {PROPOSED, *ABLATIONS}


@pytest.mark.parametrize(("p", "text"), [(0.0321, ".032"), (0.0002, "< .001"), (1.0, "1.000")])
def test_p_values(p, text):
    assert p_value(p) == text
