"""Where long recordings are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sermtl.data.windows import HOP, cut

SECOND = 16000


@given(st.integers(1, 40 * SECOND), st.integers(SECOND, 9 * SECOND), st.integers(0, 99))
def test_pieces_are_the_recording_and_neither_too_long_nor_crumbs(length, longest, seed):
    samples = np.random.default_rng(seed).standard_normal(length).astype(np.float32)
    pieces = cut(samples, longest)
    np.testing.assert_array_equal(np.concatenate(pieces), samples)
    assert max(map(len, pieces)) <= longest
    if len(pieces) > 1:
        assert min(map(len, pieces)) >= 0.34 * longest - HOP


def test_what_fits_stays_whole():
    samples = np.ones(3 * SECOND, np.float32)
    (piece,) = cut(samples, 3 * SECOND)
    assert piece is samples or np.shares_memory(piece, samples)


@pytest.mark.parametrize("pause", [7.5, 8.0, 9.5])
def test_a_pause_is_where_it_is_cut(pause):
    samples = np.random.default_rng(0).standard_normal(25 * SECOND).astype(np.float32)
    samples[round((pause - 0.2) * SECOND) : round((pause + 0.2) * SECOND)] = 0
    first = cut(samples, 10 * SECOND)[0]
    assert len(first) / SECOND == pytest.approx(pause, abs=0.2)


@pytest.mark.parametrize("length", [1.02, 1.2, 1.7, 1.98, 2.02, 5.0])  # of the longest piece
def test_the_cut_is_at_the_quietest_of_the_allowed_places(length):
    longest = 2 * SECOND
    for seed in range(40):
        samples = np.random.default_rng(seed).standard_normal(round(length * longest))
        first, last = 0.7 * longest, longest
        if len(samples) <= 2 * longest:  # neither of the two has less than 35 %
            first = max(0.35 * len(samples), len(samples) - longest)
            last = min(0.65 * len(samples), longest)
        hops = range(len(samples) // HOP)
        energy = {hop: np.square(samples[hop * HOP :][:HOP]).sum() for hop in hops}
        around = {
            hop: sum(energy.get(near, 0) for near in range(hop - 2, hop + 3))
            for hop in hops
            if first <= hop * HOP <= last
        }
        assert len(cut(samples, longest)[0]) == HOP * min(around, key=around.get)


@pytest.mark.parametrize("longest", [10 * SECOND, 10 * SECOND + 100])
def test_twice_the_longest_is_two_halves(longest):
    samples = np.random.default_rng(0).standard_normal(2 * longest)
    assert [len(piece) for piece in cut(samples, longest)] == [longest, longest]


def test_the_rest_is_shared_by_two():
    samples = np.random.default_rng(0).standard_normal(11 * SECOND).astype(np.float32)
    lengths = [len(piece) / SECOND for piece in cut(samples, 10 * SECOND)]
    assert len(lengths) == 2 and min(lengths) > 3.8
