"""Word and character error rates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
    import jiwer

    align = jiwer.process_characters if characters else jiwer.process_words
    aligned = align(
        [normalize_text(text) for text in references], [normalize_text(text) for text in hypotheses]
    )
    counts = np.zeros((len(references), 2), dtype=np.int64)
    for row, reference, chunks in zip(counts, aligned.references, aligned.alignments, strict=True):
        # An insertion spans no reference, a deletion no hypothesis, a substitution equally both.
        row[0] = sum(
            max(c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx)
            for c in chunks
            if c.type != "equal"
        )
        row[1] = len(reference)
    return counts


def error_rate(sums: np.ndarray) -> np.ndarray:
    """Rate from summed counts: (..., 2) -> (...); may exceed 1."""
    return sums[..., 0] / sums[..., 1]
