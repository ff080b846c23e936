import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sermtl.data.edit_distance import edit_counts, error_rate

words = st.lists(st.sampled_from(["a", "b", "cat", "caat", "the"]), max_size=7).map(" ".join)


@given(st.lists(st.tuples(words.filter(bool), words), min_size=1, max_size=4))
def test_counts_are_jiwers(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = zip(*pairs, strict=True)
    for characters, rate in ((False, jiwer.wer), (True, jiwer.cer)):
        counts = edit_counts(references, hypotheses, characters)
        whole = error_rate(counts.sum(axis=0))
        assert whole == pytest.approx(rate(list(references), list(hypotheses)))
        alone = [rate(r, h) for r, h in pairs]
        assert error_rate(counts).tolist() == pytest.approx(alone)


def test_nothing_has_no_errors() -> None:
    counts = edit_counts([], [])
    assert counts.shape == (0, 2) and counts.dtype == int
    assert edit_counts(["a b"], ["a c"]).tolist() == [[1, 2]]  # words, unless told


def test_lists_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        edit_counts(["a", "b"], ["a"])
