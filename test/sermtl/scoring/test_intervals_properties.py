"""What intervals of any answers keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sermtl.scoring.intervals import (
    interval,
    one_hot_cells,
    paired_test,
    resampled_sums,
    resampling_units,
)
from sermtl.scoring.metrics import METRICS
from sermtl.scoring.scores import on_cells

SPEAKERS = st.sampled_from([*(f"s{k}" for k in range(14)), "<unk>"])
ANSWER = st.tuples(st.integers(0, 2), st.integers(0, 2), SPEAKERS)
ANSWERS = st.lists(ANSWER, min_size=1, max_size=50)
STATISTICS = {name: on_cells(metric, 3) for name, metric in METRICS.items()}


def cells_and_units(answers):
    told, said, speakers = zip(*answers, strict=True)
    return one_hot_cells(np.array(told), np.array(said), 3), resampling_units(speakers)


@given(ANSWERS)
def test_ends_are_in_order_and_within_what_can_be(answers):
    cells, units = cells_and_units(answers)
    known = {speaker for *_, speaker in answers} - {"<unk>"}
    assert units.name == ("speakers" if len(known) >= 10 else "utterances")
    found = interval(cells, units, STATISTICS, resamples=200)
    for figure in found.values():
        assert 0 <= figure["low"] <= figure["high"] <= 1
    accuracy = found["accuracy"]
    assert accuracy["low"] - 1e-12 <= accuracy["value"] <= accuracy["high"] + 1e-12
    right = [told == said for told, said, _ in answers]
    if all(right) or not any(right):
        assert accuracy["low"] == accuracy["value"] == accuracy["high"] == float(right[0])


@given(ANSWERS)
def test_resamples_are_as_large_as_the_set(answers):
    cells, units = cells_and_units(answers)
    sums = resampled_sums(np.column_stack([cells, np.ones(len(cells))]), units, resamples=50)
    sizes = sums[:, -1]
    assert (sums[:, :-1].sum(axis=1) == sizes).all()
    if units.count == len(answers):
        assert (sizes == len(answers)).all()
    members = np.bincount(units.index)
    assert (sizes >= units.count * members.min()).all()
    assert (sizes <= units.count * members.max()).all()


@given(ANSWERS, st.randoms())
def test_neither_order_nor_names_matter(answers, random):
    first = interval(*cells_and_units(answers), STATISTICS, resamples=50)
    renamed = [(a, b, s if s == "<unk>" else f"{99 - int(s[1:])}") for a, b, s in answers]
    random.shuffle(renamed)
    again = interval(*cells_and_units(renamed), STATISTICS, resamples=50)
    for name, figure in first.items():
        assert {k: again[name][k] for k in ("value", "low", "high")} == pytest.approx(
            {k: figure[k] for k in ("value", "low", "high")}, abs=1e-12
        )


@given(ANSWERS)
def test_a_system_does_not_differ_from_itself(answers):
    cells, units = cells_and_units(answers)
    for found in paired_test(cells, cells, units, STATISTICS, resamples=50).values():
        assert found["p"] == 1
        assert {found["difference"][key] for key in ("value", "low", "high")} == {0}


@given(ANSWERS, st.lists(st.integers(0, 2), min_size=50, max_size=50))
def test_the_other_way_round_is_the_opposite(answers, other):
    cells, units = cells_and_units(answers)
    told = np.array([told for told, *_ in answers])
    second = one_hot_cells(told, np.array(other[: len(answers)]), 3)
    options = (units, {"accuracy": STATISTICS["accuracy"]})
    there = paired_test(cells, second, *options, resamples=50)["accuracy"]
    difference = there["difference"]
    gained = second[:, ::4].sum() - cells[:, ::4].sum()
    assert difference["value"] == pytest.approx(gained / len(answers), abs=1e-12)
    assert 0 < there["p"] <= 1
    assert difference["low"] <= difference["high"]
