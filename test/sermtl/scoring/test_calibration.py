"""Calibration against a hand-worked case and a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from random_answers import predicted

from sermtl.scoring.calibration import confidences, expected_calibration_error, reliability


def test_hand_worked_case() -> None:
    bins = reliability(np.array([0.5, 0.45, 0.95, 0.91]), np.array([True, False, True, True]), 10)
    assert bins["count"] == [0, 0, 0, 0, 2, 0, 0, 0, 0, 2]  # an upper edge belongs to its bin
    assert [bins["confidence"][k] for k in (4, 9)] == pytest.approx([0.475, 0.93])
    assert [bins["accuracy"][k] for k in (4, 9)] == [0.5, 1]
    assert bins["accuracy"][0] is None
    assert expected_calibration_error(bins) == pytest.approx((0.025 + 0.07) / 2)


def test_bins_are_there_without_answers() -> None:
    bins = reliability(np.array([0.1, 0.2]), np.array([True, False]), 4)
    nothing = [None] * 3
    assert bins["count"] == [2, 0, 0, 0]
    assert bins["confidence"] == [pytest.approx(0.15), *nothing]
    assert bins["accuracy"] == [0.5, *nothing]


def test_ends_of_the_scale_are_in_the_outer_bins() -> None:
    assert reliability(np.array([0.0, 1.0]), np.array([True, True]), 4)["count"] == [1, 0, 0, 1]


@pytest.mark.parametrize("count", [1, 10, 15])
def test_equals_a_plain_loop(count: int) -> None:
    rng = np.random.default_rng(count)
    confidence = rng.beta(3, 2, 500)
    correct = rng.random(500) < confidence**2
    expected = 0.0
    for k in range(count):
        inside = [i for i in range(500) if k < confidence[i] * count <= k + 1]
        if inside:
            sure = sum(confidence[i] for i in inside) / len(inside)
            right = sum(correct[i] for i in inside) / len(inside)
            expected += len(inside) / 500 * abs(sure - right)
    got = expected_calibration_error(reliability(confidence, correct, count))
    assert got == pytest.approx(expected, abs=1e-12)


def test_confidence_is_that_of_the_answer_among_the_allowed_classes() -> None:
    part = predicted()
    assert confidences([part], part.classes) == pytest.approx(part.probabilities.max(axis=1))
    pair = confidences([part, part], ["S", "N"])
    assert (pair[:120] == pair[120:]).all()
    sides = part.probabilities[:, [2, 0]]
    assert pair[:120] == pytest.approx(sides.max(axis=1) / sides.sum(axis=1))
    part.probabilities[0] = [0, 1, 0, 0]  # rounded: neither can be told
    assert confidences([part], ["S", "N"])[0] == 0.5
