"""Whisper's texts in the form in which they are learned and compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from sermtl.data.text import APOSTROPHES, normalize_text

NORMALIZERS = ("auto", "english", "plain")

Normalizer = Callable[[str, str], str]
"""(text, language code) -> words; nothing where no word is left."""


def text_normalizer(choice: str) -> Normalizer:
    """One of `NORMALIZERS`.

    ``plain`` is `sermtl.data.text.normalize_text`. ``english`` applies Whisper's
    ``EnglishTextNormalizer`` first, which drops what stands in brackets or parentheses
    (``[laughter]``) and the fillers hmm, mm, mhm, mmm, uh and um, spells contractions out, writes
    numbers as digits, and spells the American way. The plain form comes after it all the same,
    since tokens, statistics and scores take their texts in that form: ``$2.50`` ends as ``2 50``.
    ``auto`` is ``english`` for English clips and ``plain`` for others.
    """

    def normalize(text: str, language: str) -> str:
        if choice == "english" or (choice == "auto" and language == "en"):
            text = _english()(text.translate(APOSTROPHES))  # it knows the straight one only
        return normalize_text(text)

    return normalize


@cache
def comparable(form: str) -> Callable[[str], str]:
    """``english`` or ``plain``, for texts to compare; texts are remembered, models share them."""
    normalize = text_normalizer(form)
    return cache(lambda text: normalize(text, ""))


@cache
def _english() -> Callable[[str], str]:
    # Imports torch with it, so only where there is English.
    from whisper.normalizers import EnglishTextNormalizer

    return EnglishTextNormalizer()
