"""A summary as text, of figures made by hand; of folders: test_summary.py."""

from __future__ import annotations

from collections import Counter

import pytest

from sermtl.data.leaks import Leak
from sermtl.data.summary import SetSummary, Summary
from sermtl.data.summary_table import table

SEEN = SetSummary(
    "seen",
    [3600.0, 1.5, 2.25],
    Counter(joy=1200, sad=2),
    Counter(female=3),
    Counter({"female": 1, "<unk>": 1}),
    7,
)
NEW = SetSummary("new one", [1.0], Counter(joy=1), Counter(male=1), Counter(male=1), 0)


def summary(*sets: SetSummary, **changes: object) -> Summary:
    values = {"copies": [], "leaks": [], "repeats": {}, "not_compared": 0}
    total = SetSummary("total", [1.0], Counter(), Counter(), Counter(), 0)
    return Summary(list(sets), total, **(values | changes))


def blocks(text: str) -> dict[str, list[str]]:
    """Lines below each title."""
    parts = [block.splitlines() for block in text.split("\n\n")]
    return {lines[0]: lines[1:] for lines in parts}


def test_columns_are_aligned() -> None:
    found = blocks(table(summary(SEEN, NEW)))
    assert [*found.items()][:4] == [
        (
            "Sets                    utterances  hours  min s  median s    max s",
            [
                "seen                             3   1.00   1.50      2.25  3600.00",
                "new one                          1   0.00   1.00      1.00     1.00",
                "total                            1   0.00   1.00      1.00     1.00",
            ],
        ),
        (
            "Speakers                all  female  male  <unk>  utterances without",
            [
                "seen                      2       1     0      1                   7",
                "new one                   1       0     1      0                   0",
                "total                     0       0     0      0                   0",
            ],
        ),
        (
            "Utterances by gender    female  male  <unk>",
            [
                "seen                         3     0      0",
                "new one                      0     1      0",
                "total                        0     0      0",
            ],
        ),
        (
            "Utterances by emotion    joy  sad  <unk>",
            [
                "seen                    1200    2      0",
                "new one                    1    0      0",
                "total                      0    0      0",
            ],
        ),
    ]


def test_one_set_has_no_total() -> None:
    assert "total" not in table(summary(SEEN))


@pytest.mark.parametrize(
    ("speakers", "text"),
    [
        (["a"], "1 (a)"),
        (["a", "b", "c"], "3 (a, b, c)"),
        (["a", "b", "c", "d"], "4 (a, b, c, …)"),
    ],
)
def test_three_of_a_list_are_shown(speakers: list[str], text: str) -> None:
    leak = Leak(("seen", "new one"), speakers, [], [])
    lines = blocks(table(summary(SEEN, NEW, leaks=[leak])))["Leaks"]
    assert lines[:2] == ["  the same speakers:", f"    seen and new one: {text}"]


def test_what_is_left_out_is_told() -> None:
    text = table(summary(SEEN, copies=["a_sp0.9", "b_sp1.1"], not_compared=12))
    *_, copies, compared = text.split("\n\n")
    assert copies == "Left out, as copies at another speed: a_sp0.9, b_sp1.1"
    assert compared.startswith("Utterances whose audio is not compared: 12; by their length")
    text = table(summary(SEEN))
    assert "Left out" not in text and "not compared" not in text
