"""Trials and equal error rate, against enumeration and scikit-learn's ROC."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from scipy.spatial.distance import cosine as distance
from sklearn.metrics import roc_curve

from sermtl.scoring import verification
from sermtl.scoring.intervals import Units, resampling_units
from sermtl.scoring.verification import (
    Trials,
    cosine,
    equal_error_rate,
    pooled_error_rate,
    trials,
    why_no_trials,
)

SPEAKERS = ["a", "b", "a", "<unk>", "c", "b", "a", "c", "d", "<unk>"]


def pairs_of(first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
    return [tuple(sorted(pair)) for pair in zip(first.tolist(), second.tolist(), strict=True)]


def test_all_same_speaker_pairs_and_as_many_others() -> None:
    first, second, same = trials(SPEAKERS)
    pairs = pairs_of(first, second)
    known = [i for i, speaker in enumerate(SPEAKERS) if speaker != "<unk>"]
    expected = {p for p in combinations(known, 2) if SPEAKERS[p[0]] == SPEAKERS[p[1]]}
    assert {p for p, s in zip(pairs, same, strict=True) if s} == expected
    assert same.sum() == (~same).sum() == len(expected)
    assert len(set(pairs)) == len(pairs)
    for (i, j), is_same in zip(pairs, same, strict=True):
        assert (SPEAKERS[i] == SPEAKERS[j]) == is_same and "<unk>" not in (SPEAKERS[i], SPEAKERS[j])


def test_large_sets_are_sampled_without_repetition() -> None:
    speakers = [f"s{i}" for i in np.random.default_rng(0).integers(0, 50, 20_000)]
    first, second, same = trials(speakers, limit=500)
    assert same.sum() == (~same).sum() == 500
    assert len(set(pairs_of(first, second))) == 1000
    assert all((speakers[i] == speakers[j]) == s for i, j, s in zip(first, second, same))  # noqa: B905
    for again, once in zip(trials(speakers, limit=500), (first, second, same), strict=True):
        assert (again == once).all()


def test_nearly_all_pairs_are_drawn_once() -> None:
    for seed in range(10):
        first, second, same = trials(["a"] * 4 + ["b"] * 4, limit=11, seed=seed)  # of 12
        assert same.sum() == 11 and len(set(pairs_of(first, second))) == 22


def test_the_seed_is_zero_unless_told() -> None:
    speakers = [f"s{i % 9}" for i in range(200)]
    for default, zero in zip(trials(speakers, 50), trials(speakers, 50, seed=0), strict=True):
        assert (default == zero).all()


def test_without_known_speakers_there_are_no_pairs() -> None:
    columns = trials(["<unk>", "<unk>"])
    assert [len(column) for column in columns] == [0, 0, 0]
    assert [column.dtype.kind for column in columns] == ["i", "i", "b"]


@pytest.mark.filterwarnings("error")
def test_resamples_without_a_pair_are_passed_over() -> None:
    speakers = ["a", "a", "b", "b"]
    first, second, same = trials(speakers)
    model = Trials(first, second, same, np.where(same, 0.9, 0.1))
    rate = pooled_error_rate([model], resampling_units(speakers))
    assert (rate["low"], rate["value"]) == (0, 0) and rate["high"] <= 1


@pytest.mark.filterwarnings("error")
def test_one_kind_of_trials_has_no_rate() -> None:
    assert np.isnan(equal_error_rate(np.array([0.3, 0.5]), np.array([True, True])))


def test_rates_have_the_shape_of_the_weights() -> None:
    scores, same = np.array([0.9, 0.1, 0.8, 0.7]), [1, 0, 0, 1]
    assert equal_error_rate(scores, same).shape == ()
    assert float(equal_error_rate(scores, same)) == pytest.approx(0.5)
    weights = np.random.default_rng(0).integers(1, 5, (3, 2, 4))
    rates = equal_error_rate(scores, same, weights)
    assert rates.shape == (3, 2)
    for index in np.ndindex(3, 2):
        alone = equal_error_rate(np.repeat(scores, weights[index]), np.repeat(same, weights[index]))
        assert rates[index] == pytest.approx(float(alone))


def test_every_different_pair_is_as_likely() -> None:
    counts = np.zeros((6, 6))
    for seed in range(600):
        first, second, same = trials(["a", "a", "a", "b", "b", "b"], limit=2, seed=seed)
        np.add.at(counts, (first[~same], second[~same]), 1)
    drawn = counts[:3, 3:]
    assert drawn.sum() == counts.sum() == 1200
    assert (np.abs(drawn - 1200 / 9) < 45).all()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("digits", [1, 8])
def test_rate_is_that_of_scikit_learns_roc(seed: int, digits: int) -> None:
    rng = np.random.default_rng(seed)
    same = rng.random(80) < 0.4
    scores = np.round(same + rng.normal(size=80), digits)  # one digit: many ties
    false, true, _ = roc_curve(same, scores, drop_intermediate=False)
    expected = brentq(lambda x: 1 - x - interp1d(false, true)(x), 0, 1)
    assert equal_error_rate(scores, same) == pytest.approx(expected, abs=1e-9)


def test_extremes() -> None:
    same = np.array([True, True, False, False])
    assert equal_error_rate(np.array([4, 3, 2, 1]), same) == 0
    assert equal_error_rate(np.array([1, 2, 3, 4]), same) == 1
    assert equal_error_rate(np.zeros(4), same) == 0.5
    assert np.isnan(equal_error_rate(np.zeros(2), np.array([True, True])))


def test_weights_are_repetitions() -> None:
    rng = np.random.default_rng(0)
    same = np.arange(40) % 2 == 0
    scores = np.round(same + rng.normal(size=40), 1)
    weights = rng.integers(0, 4, (3, 40))
    expected = [float(equal_error_rate(np.repeat(scores, w), np.repeat(same, w))) for w in weights]
    assert equal_error_rate(scores, same, weights) == pytest.approx(expected)


def test_each_model_has_a_threshold_of_its_own() -> None:
    """Two models that separate their speakers perfectly, at different cosines."""
    same = np.array([True, False])
    first, second = np.array([0, 0]), np.array([1, 2])
    models = [
        Trials(first + 3 * k, second + 3 * k, same, np.array(cosines))
        for k, cosines in enumerate([[0.9, 0.6], [0.5, 0.2]])
    ]
    rate = pooled_error_rate(models, resampling_units(["a", "a", "b", "c", "c", "d"]))
    assert (rate["value"], rate["low"], rate["high"]) == (0, 0, 0)


@pytest.mark.parametrize("unit", ["speakers", "utterances"])
def test_interval_is_that_of_a_plain_bootstrap(unit: str) -> None:
    rng = np.random.default_rng(0)
    size = 4 if unit == "speakers" else 6  # of a speaker; nine of them are too few to draw
    speakers = [f"s{i // size}" for i in range(48)]
    first, second, same = trials(speakers)
    model = Trials(first, second, same, same + rng.normal(size=len(same)))
    rate = pooled_error_rate([model], resampling_units(speakers))
    assert rate["unit"] == unit
    assert rate == pooled_error_rate([model], resampling_units(speakers))  # a seed decides
    assert rate["value"] == pytest.approx(equal_error_rate(model.cosines, same))
    drawn = []
    for _ in range(400):
        units = 12 if unit == "speakers" else 48
        count = np.bincount(rng.integers(0, units, units), minlength=units)
        one, other = first // (48 // units), second // (48 // units)
        times = [count[a] if a == b else count[a] * count[b] for a, b in zip(one, other)]  # noqa: B905
        drawn.append(equal_error_rate(np.repeat(model.cosines, times), np.repeat(same, times)))
    assert [rate["low"], rate["high"]] == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.02)


@pytest.mark.parametrize("size", [4, 1])  # of a unit
def test_a_unit_brings_its_own_pairs_as_often_as_it_is_drawn(size: int) -> None:
    rng = np.random.default_rng(0)
    first, second, same = trials([f"s{i // 4}" for i in range(48)])
    model = Trials(first, second, same, same + rng.normal(size=len(same)))
    draws = rng.integers(0, 3, (5, 48 // size))
    units = Units("units", np.arange(48) // size, 48 // size)
    rates, pairs = model.error_rate(units, draws.astype(np.float32))
    for rate, number, count in zip(rates, pairs, draws, strict=True):
        one, other = first // size, second // size
        times = [count[a] if a == b else count[a] * count[b] for a, b in zip(one, other)]  # noqa: B905
        alone = equal_error_rate(np.repeat(model.cosines, times), np.repeat(same, times))
        assert rate == pytest.approx(float(alone), abs=1e-6)
        assert number == np.repeat(same, times).sum()


def test_cosine() -> None:
    embeddings = np.array([[3.0, 0], [1, 1], [0, 0], [-2, 0]], dtype=np.float32)
    got = cosine(embeddings, np.array([0, 0, 0]), np.array([1, 2, 3]))
    assert got == pytest.approx([0.5**0.5, 0, -1])
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(50, 3))
    first, second = rng.integers(0, 50, (2, 3 * verification.PAIRS_AT_ONCE + 1))
    expected = [1 - distance(embeddings[i], embeddings[j]) for i, j in zip(first, second)]  # noqa: B905
    assert cosine(embeddings, first, second) == pytest.approx(expected)


def test_says_why_there_are_no_trials() -> None:
    assert why_no_trials(["a", "a", "b", "b"]) is None
    assert "1 known speakers" in (why_no_trials(["a", "a", "b", "<unk>", "<unk>"]) or "")
    assert why_no_trials([]) is not None
