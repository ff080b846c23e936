"""One normal form for every transcript: token training, CTC targets and word error rates."""

from __future__ import annotations

import re
import unicodedata

APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ＇`´", "'"))
NOT_SPOKEN = re.compile(r"[^\w']|_")
LOOSE_APOSTROPHE = re.compile(r"(?<!\w)'+|'+(?!\w)")


def normalize_text(text: str) -> str:
    """Lower-case words of letters, digits and inner apostrophes, in any script, one space apart."""
    text = unicodedata.normalize("NFKC", text.translate(APOSTROPHES)).lower()
    text = NOT_SPOKEN.sub(_mark_or_space, text)
    return " ".join(LOOSE_APOSTROPHE.sub(" ", text).split())


def _mark_or_space(match: re.Match[str]) -> str:
    """A word's pattern leaves out combining marks, which some scripts need (Devanagari vowels)."""
    return match[0] if unicodedata.category(match[0]).startswith("M") else " "
