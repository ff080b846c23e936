"""Error rates, against jiwer's own totals."""

from __future__ import annotations

import jiwer
import pytest

from sermtl.data.text import normalize_text
from sermtl.scoring.asr import edit_counts, error_rate

REFERENCES = ["The cat sat, on the mat.", "hello world", "a b c", "It's fine", "one"]
HYPOTHESES = ["the cat on on the hat there", "", "a c b d", "IT’S fine!", "two words more"]


@pytest.mark.parametrize("characters", [False, True])
def test_corpus_rate_is_jiwers(characters: bool) -> None:
    counts = edit_counts(REFERENCES, HYPOTHESES, characters)
    texts = [[normalize_text(text) for text in side] for side in (REFERENCES, HYPOTHESES)]
    whole = (jiwer.cer if characters else jiwer.wer)(*texts)
    assert error_rate(counts.sum(axis=0)) == pytest.approx(whole, abs=1e-12)
    alone = [(jiwer.cer if characters else jiwer.wer)(r, h) for r, h in zip(*texts, strict=True)]
    assert error_rate(counts).tolist() == pytest.approx(alone)


def test_case_and_punctuation_do_not_count() -> None:
    assert edit_counts(["It's fine"], ["IT’S fine!"]).tolist() == [[0, 2]]
