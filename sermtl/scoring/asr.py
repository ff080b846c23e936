"""Word and character error rates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sermtl.data import edit_distance
from sermtl.data.text import normalize_text


def edit_counts(
    references: Sequence[str], hypotheses: Sequence[str], characters: bool = False
) -> np.ndarray:
    """Errors and reference lengths of each utterance, on normalised text.

    Args:
        references: transcripts, none of which normalises to nothing.
        hypotheses: as many; may be empty.
        characters: count characters (spaces included) instead of words.

    Returns:
        (N, 2) int64: substitutions + insertions + deletions, and words (characters) of the
        reference. Sums over utterances give corpus-level rates through `error_rate`.
    """
    return edit_distance.edit_counts(
        [normalize_text(text) for text in references],
        [normalize_text(text) for text in hypotheses],
        characters,
    )


def error_rate(sums: np.ndarray) -> np.ndarray:
    """Rate from summed counts: (..., 2) -> (...); may exceed 1."""
    return sums[..., 0] / sums[..., 1]
