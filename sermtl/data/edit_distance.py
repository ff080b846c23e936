"""How many words or characters differ between texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein


def edit_counts(
    references: Sequence[str], hypotheses: Sequence[str], characters: bool = False
) -> np.ndarray:
    """Errors and reference lengths of each utterance, on texts as they are.

    Args:
        references: transcripts, words one space apart.
        hypotheses: as many.
        characters: count characters (spaces included) instead of words.

    Returns:
        (N, 2) int64: substitutions + insertions + deletions, and words (characters) of the
        reference. Sums over utterances give corpus-level rates through `error_rate`.
    """
    counts = np.zeros((len(references), 2), dtype=np.int64)
    for row, texts in zip(counts, zip(references, hypotheses, strict=True), strict=True):
        reference, hypothesis = texts if characters else (text.split() for text in texts)
        row[:] = Levenshtein.distance(reference, hypothesis), len(reference)
    return counts


def error_rate(sums: np.ndarray) -> np.ndarray:
    """Rate from summed counts: (..., 2) -> (...); may exceed 1."""
    return sums[..., 0] / sums[..., 1]
