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


def test_the_rest_is_shared_by_two():
    samples = np.random.default_rng(0).standard_normal(11 * SECOND).astype(np.float32)
    lengths = [len(piece) / SECOND for piece in cut(samples, 10 * SECOND)]
    assert len(lengths) == 2 and min(lengths) > 3.8
