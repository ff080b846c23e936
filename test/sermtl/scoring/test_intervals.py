"""Bootstrap: against a plain loop, theory, and the clock."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from scipy.stats import binom, norm

from sermtl.scoring import intervals
from sermtl.scoring.intervals import (
    interval,
    one_hot_cells,
    paired_test,
    resampled_sums,
    resampling_units,
)
from sermtl.scoring.metrics import METRICS, confusion_matrix, macro_f1
from sermtl.scoring.scores import on_cells


def draw(n: int, classes: int = 4, right: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    reference = rng.integers(0, classes, n)
    guess = rng.integers(0, classes, n)
    return reference, np.where(rng.random(n) < right, reference, guess)


def rate(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def test_units_are_speakers_only_where_ten_are_known() -> None:
    nine = [f"s{i % 9}" for i in range(30)]
    assert resampling_units(nine).name == "utterances"
    ten = [*[f"s{i % 10}" for i in range(30)], "<unk>", "<unk>"]
    units = resampling_units(ten)
    assert (units.name, units.count) == ("speakers", 12)  # unknown ones each alone
    assert units.index[0] == units.index[10] != units.index[1]
    assert units.index[-1] != units.index[-2]


def test_units_sum_their_utterances() -> None:
    rows = np.array([[1, 2], [3, 4], [5, 6]])
    speakers = intervals.Units("speakers", np.array([0, 1, 0]), 2)
    assert speakers.sums(rows).tolist() == [[6, 8], [3, 4]]


def test_value_and_resamples_are_of_whole_speakers() -> None:
    reference, hypothesis = draw(60)
    units = resampling_units([f"s{i // 5}" for i in range(60)])
    cells = one_hot_cells(reference, hypothesis, 4)
    assert cells.dtype == np.int8  # of many classes and utterances there are gigabytes otherwise
    assert (cells.sum(0).reshape(4, 4) == confusion_matrix(reference, hypothesis, 4)).all()
    sums = resampled_sums(cells, units, resamples=50)
    assert (sums.sum(axis=1) == 60).all()  # twelve speakers of five utterances
    assert len(np.unique(sums, axis=0)) > 40


@pytest.fixture(params=[intervals.MAX_MULTINOMIAL, 0])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few kinds of units, and as if they were many."""
    monkeypatch.setattr(intervals, "MAX_MULTINOMIAL", request.param)


@pytest.mark.usefixtures("either_way")
def test_interval_equals_that_of_a_plain_loop() -> None:
    reference, hypothesis = draw(300)
    speakers = [f"s{i % 100}" for i in range(300)]
    units = resampling_units(speakers)
    rng = np.random.default_rng(5)
    scores = []
    for _ in range(2000):
        drawn = rng.integers(0, units.count, units.count)
        chosen = np.concatenate([np.flatnonzero(units.index == unit) for unit in drawn])
        scores.append(macro_f1(confusion_matrix(reference[chosen], hypothesis[chosen], 4)))
    cells = one_hot_cells(reference, hypothesis, 4)
    got = interval(cells, units, {"f": on_cells(macro_f1, 4)}, resamples=2000)["f"]
    assert got["unit"] == "speakers"
    assert got["value"] == macro_f1(confusion_matrix(reference, hypothesis, 4))
    assert [got["low"], got["high"]] == pytest.approx(np.percentile(scores, [2.5, 97.5]), abs=0.006)


@pytest.mark.usefixtures("either_way")
def test_interval_of_a_proportion_is_binomial() -> None:
    rows = np.array([[1, 1]] * 70 + [[0, 1]] * 130)
    units = resampling_units(["<unk>"] * 200)
    got = interval(rows, units, {"rate": rate}, resamples=20_000)["rate"]
    expected = binom.ppf([0.025, 0.975], 200, 0.35) / 200
    assert [got["low"], got["high"]] == pytest.approx(expected, abs=0.006)


@pytest.mark.usefixtures("either_way")
def test_resamples_have_the_moments_of_drawing_with_replacement() -> None:
    rng = np.random.default_rng(0)
    errors = rng.poisson(3, 500)
    rows = np.stack([errors, errors + rng.geometric(0.3, 500), np.ones(500, int)], axis=1)
    sums = resampled_sums(rows, resampling_units(["<unk>"] * 500), resamples=20_000)
    assert (sums[:, 2] == 500).all()
    spread = np.cov(rows.T, bias=True) * 500
    error = np.sqrt(np.diag(spread) / 20_000)[:2]
    assert (np.abs(sums.mean(0) - rows.sum(0))[:2] < 4 * error).all()
    assert np.cov(sums.T)[:2, :2] == pytest.approx(spread[:2, :2], rel=0.06)


@pytest.mark.usefixtures("either_way")
def test_the_interval_holds_95_percent() -> None:
    rows = np.random.default_rng(0).integers(0, 1000, (400, 1))
    units = resampling_units(["<unk>"] * 400)
    got = interval(rows, units, {"sum": lambda sums: sums[..., 0]}, resamples=20_000)["sum"]
    spread = np.sqrt(400) * rows.std()  # the sum is as good as normal
    expected = (rows.sum() + spread * norm.ppf([0.025, 0.975])).tolist()
    assert [got["low"], got["high"]] == pytest.approx(expected, abs=0.07 * spread)


@pytest.mark.usefixtures("either_way")
def test_the_seed_decides() -> None:
    rows = np.random.default_rng(0).integers(0, 9, (100, 2)) + 1
    units = resampling_units(["<unk>"] * 100)
    assert (resampled_sums(rows, units) == resampled_sums(rows, units)).all()
    assert (resampled_sums(rows, units) != resampled_sums(rows, units, seed=1)).any()


@pytest.mark.parametrize("speakers", [0, 2000])
def test_thirty_thousand_utterances_take_no_time(speakers: int) -> None:
    reference, hypothesis = draw(30_000, classes=8)
    names = [f"s{i % speakers}" if speakers else "<unk>" for i in range(30_000)]
    start = time.process_time()
    units = resampling_units(names)
    statistics = {name: on_cells(metric, 8) for name, metric in METRICS.items()}
    interval(one_hot_cells(reference, hypothesis, 8), units, statistics)
    assert time.process_time() - start < 2  # about .1 s; the margin is for a busy machine


def test_paired_test_tells_systems_apart_and_knows_equals() -> None:
    reference, bad = draw(400, right=0.4)
    good = np.where(np.random.default_rng(0).random(400) < 0.4, reference, bad)
    units = resampling_units([f"s{i % 40}" for i in range(400)])
    first, second = (one_hot_cells(reference, answers, 4) for answers in (bad, good))
    statistics = {"f1": on_cells(macro_f1, 4)}
    result = paired_test(first, second, units, statistics)["f1"]
    assert result["difference"]["unit"] == "speakers"
    assert 0 < result["difference"]["low"] < result["difference"]["value"]
    assert result["p"] == pytest.approx(2 / 10_001)
    mirrored = paired_test(second, first, units, statistics)["f1"]
    assert mirrored["difference"]["value"] == -result["difference"]["value"]
    assert mirrored["p"] == result["p"]
    same = paired_test(first, first, units, statistics)["f1"]
    assert same["p"] == 1 and same["difference"]["low"] == same["difference"]["high"] == 0


def test_paired_test_of_many_word_counts_takes_little_memory() -> None:
    """Thousands of different counts: drawn all at once, they would be a gigabyte."""
    rng = np.random.default_rng(0)
    words = rng.geometric(1 / 16, 50_000)
    first, second = (np.stack([rng.binomial(words, p), words], axis=1) for p in (0.3, 0.295))
    units = resampling_units(["<unk>"] * len(words))
    tracemalloc.start()
    got = paired_test(first, second, units, {"rate": rate}, resamples=2000)["rate"]
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    gains = second[:, 0] - first[:, 0]  # the words are the same
    deviation = np.std(gains - got["difference"]["value"] * words) / np.sqrt(len(words))
    expected = (gains.mean() + deviation * norm.ppf([0.025, 0.975])) / words.mean()
    found = [got["difference"][side] for side in ("low", "high")]
    assert found == pytest.approx(expected, abs=0.1 * deviation / words.mean())


def test_paired_test_rejects_a_true_null_at_its_level() -> None:
    rejected = 0
    for seed in range(200):
        errors = np.random.default_rng(seed).integers(0, 2, (2, 80))
        first, second = (np.stack([e, np.ones(80, dtype=int)], axis=1) for e in errors)
        units = resampling_units(["<unk>"] * 80)
        test = paired_test(first, second, units, {"rate": rate}, resamples=500)["rate"]
        rejected += test["p"] < 0.05
    assert 2 <= rejected <= 22  # 10 expected


def test_paired_systems_must_be_of_the_same_utterances() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        paired_test(np.ones((3, 2)), np.ones((4, 2)), resampling_units(["<unk>"] * 3), {})
