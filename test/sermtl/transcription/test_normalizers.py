import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sermtl.data.text import normalize_text
from sermtl.transcription.normalizers import NORMALIZERS, text_normalizer

SAID = "Uh, she's paid $20.50 for [laughter] twenty-two colours (inaudible), Mr. Dale’s gone!"
ENGLISH = "she is paid 20 50 for 22 colors mister dale has gone"
PLAIN = "uh she's paid 20 50 for laughter twenty two colours inaudible mr dale's gone"


@pytest.mark.parametrize(
    ("choice", "language", "expected"),
    [
        ("auto", "en", ENGLISH),
        ("auto", "pl", PLAIN),
        ("english", "pl", ENGLISH),
        ("plain", "en", PLAIN),
    ],
)
def test_forms(choice: str, language: str, expected: str) -> None:
    pytest.importorskip("whisper")
    assert text_normalizer(choice)(SAID, language) == expected


@pytest.mark.parametrize("text", ["", "...", "Hmm, um...", "[Music]", "(sighs)", "<unk>"])
def test_what_holds_no_words_is_nothing(text: str) -> None:
    pytest.importorskip("whisper")
    assert text_normalizer("auto")(text, "en") == ""


@pytest.mark.parametrize("choice", NORMALIZERS)
@settings(max_examples=60)
@given(text=st.text() | st.text("0123456789.,$€%-' one hundred double and half st", max_size=40))
def test_tokens_and_scores_change_nothing_more(choice: str, text: str) -> None:
    pytest.importorskip("whisper")
    words = text_normalizer(choice)(text, "en")
    assert normalize_text(words) == words


def test_plain_text_needs_no_whisper() -> None:
    code = (
        "import sys; from sermtl.transcription.normalizers import text_normalizer;"
        "text_normalizer('auto')('Dzień dobry', 'pl'); text_normalizer('plain')('Hello', 'en');"
        "assert not {'torch', 'whisper'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
