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
    counts: list[int] = []
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        if characters:
            counts += Levenshtein.distance(reference, hypothesis), len(reference)
        else:
            words = reference.split()
            counts += Levenshtein.distance(words, hypothesis.split()), len(words)
    return np.array(counts, dtype=np.int64).reshape(len(references), 2)


def error_rate(sums: np.ndarray) -> np.ndarray:
    """Rate from summed counts: (..., 2) -> (...); may exceed 1."""
    return sums[..., 0] / sums[..., 1]
