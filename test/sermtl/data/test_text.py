import pytest
from hypothesis import given
from hypothesis import strategies as st

from sermtl.data.text import normalize_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kids are talking, by the door!", "kids are talking by the door"),
        ("Don’t  'quote' me--please", "don't quote me please"),
        ("It's 9 o'clock\n", "it's 9 o'clock"),
        ("snake_case", "snake case"),
        ("Mleko JEST źródłem wapnia.", "mleko jest źródłem wapnia"),
        ("你好，世界。", "你好 世界"),
        ("हिन्दी में", "हिन्दी में"),
        ("ﬁne ＡＢＣ", "fine abc"),
        ("...", ""),
        ("", ""),
    ],
)
def test_normal_form(text, expected):
    assert normalize_text(text) == expected


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    once = normalize_text(text)
    assert normalize_text(once) == once
    assert once == " ".join(once.split())
