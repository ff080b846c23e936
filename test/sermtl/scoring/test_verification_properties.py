"""Equal error rates of any scores, against a sweep over all thresholds."""

from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sermtl.scoring.verification import cosine, equal_error_rate, trials

TRIALS = st.lists(
    st.tuples(st.one_of(st.integers(-3, 3), st.floats(-1, 1)), st.booleans()),
    min_size=2,
    max_size=40,
).filter(lambda pairs: len({same for _, same in pairs}) == 2)
SPEAKERS = st.lists(st.sampled_from([*"abcde", "<unk>"]), max_size=30)


def swept(scores, same):
    """Where the error rates meet, on straight lines from threshold to threshold."""
    points = []
    for threshold in [np.inf, *sorted(set(scores), reverse=True)]:
        accepted = [is_same for s, is_same in zip(scores, same, strict=True) if s >= threshold]
        false = sum(not is_same for is_same in accepted) / (len(same) - sum(same))
        rejected = 1 - sum(accepted) / sum(same)
        points.append((false, rejected))
    for (false, rejected), (more, fewer) in pairwise(points):
        if fewer <= more:
            share = (rejected - false) / ((rejected - false) - (fewer - more))
            return false + share * (more - false)
    raise AssertionError("they meet somewhere")


@given(TRIALS)
def test_a_sweep_agrees(pairs):
    scores, same = (np.array(side) for side in zip(*pairs, strict=True))
    assert equal_error_rate(scores, same) == pytest.approx(swept(scores.tolist(), same.tolist()))


@given(TRIALS, st.randoms())
def test_neither_order_nor_scale_matters_and_the_opposite_is_the_opposite(pairs, random):
    scores, same = (np.array(side, float) for side in zip(*pairs, strict=True))
    rate = equal_error_rate(scores, same)
    order = random.sample(range(len(pairs)), len(pairs))
    assert equal_error_rate(scores[order], same[order]) == pytest.approx(rate)
    assert equal_error_rate(4 * scores, same) == pytest.approx(rate)  # exact in binary
    assert equal_error_rate(-scores, same) == pytest.approx(1 - rate)


@given(TRIALS, st.lists(st.integers(1, 3), min_size=40, max_size=40))
def test_a_weight_is_a_repetition(pairs, weights):
    scores, same = (np.array(side) for side in zip(*pairs, strict=True))
    weights = weights[: len(pairs)]
    repeated = [np.repeat(side, weights) for side in (scores, same)]
    assert equal_error_rate(scores, same, weights) == pytest.approx(equal_error_rate(*repeated))


@given(SPEAKERS, st.integers(1, 40), st.integers(0, 9))
def test_trials_are_distinct_pairs_of_known_speakers(speakers, limit, seed):
    first, second, same = trials(speakers, limit, seed)
    pairs = [frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)]
    assert len(set(pairs)) == len(pairs) and all(len(pair) == 2 for pair in pairs)
    for one, other, is_same in zip(first, second, same, strict=True):
        assert "<unk>" not in (speakers[one], speakers[other])
        assert (speakers[one] == speakers[other]) == is_same
    known = [speaker for speaker in speakers if speaker != "<unk>"]
    there = Counter(a == b for a, b in combinations(known, 2))
    assert same.sum() == min(limit, there[True])
    assert (~same).sum() == min(same.sum(), there[False])


@given(
    st.lists(st.lists(st.floats(-9, 9, width=32), min_size=3, max_size=3), min_size=2, max_size=9)
)
def test_cosines_are_those_of_a_plain_loop(vectors):
    pairs = list(combinations(range(len(vectors)), 2))
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    expected = []
    for i, j in pairs:
        a, b = (np.array(vectors[k]) for k in (i, j))
        norms = np.linalg.norm(a) * np.linalg.norm(b)
        expected.append(a @ b / norms if norms else 0.0)
    found = cosine(np.array(vectors, np.float32), first, second)
    assert found == pytest.approx(np.array(expected), abs=1e-5)
