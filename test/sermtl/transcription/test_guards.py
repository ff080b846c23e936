from math import inf, nan

import pytest

from sermtl.errors import UserError
from sermtl.transcription.guards import (
    IMPROBABLE,
    REPETITIVE,
    SILENCE,
    SPEECH,
    Guards,
    Scores,
    parse_temperatures,
)


@pytest.mark.parametrize(
    ("logprob", "no_speech", "ratio", "verdict"),
    [
        (-0.2, 0.01, 0.9, SPEECH),
        (-1.0, 0.6, 2.4, SPEECH),  # at the thresholds
        (-1.1, 0.01, 0.9, IMPROBABLE),
        (-0.2, 0.01, 2.5, REPETITIVE),
        (-1.1, 0.6, 2.5, REPETITIVE),
        (-1.1, 0.7, 0.9, SILENCE),
        (-1.1, 0.7, 2.5, SILENCE),  # not tried again, repetitive or not
        (-0.9, 0.99, 0.9, SPEECH),  # probable text, whatever the other probability says
        (-0.9, 0.99, 2.5, REPETITIVE),
    ],
)
def test_the_rules_of_whisper(logprob: float, no_speech: float, ratio: float, verdict: str) -> None:
    assert Guards().judge(Scores(0.0, logprob, no_speech, ratio)) == verdict


def test_thresholds_are_options() -> None:
    anything = Guards(compression_ratio_threshold=inf, logprob_threshold=-inf)
    assert anything.judge(Scores(0.0, -50.0, 1.0, 99.0)) == SPEECH
    strict = Guards(logprob_threshold=-0.1, no_speech_threshold=0.0)
    assert strict.judge(Scores(0.0, -0.2, 0.01, 0.9)) == SILENCE
    assert parse_temperatures(" 0  0.2 1 ") == (0.0, 0.2, 1.0)


def test_the_defaults_are_whispers() -> None:
    import inspect

    whisper = pytest.importorskip("whisper")
    theirs = inspect.signature(whisper.transcribe).parameters
    ours = Guards()
    assert ours.temperatures == theirs["temperature"].default
    for name in ("compression_ratio_threshold", "logprob_threshold", "no_speech_threshold"):
        assert getattr(ours, name) == theirs[name].default


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperatures": ()}, "--temperatures '': a rising list that starts with 0"),
        ({"temperatures": (0.2, 0.4)}, "--temperatures '0.2 0.4': a rising list"),
        ({"temperatures": (0.0, 0.4, 0.4)}, "a rising list"),
        ({"temperatures": (0.0, nan)}, "a rising list"),
        ({"temperatures": (0.0, inf)}, "a rising list"),
        ({"compression_ratio_threshold": 0.0}, "--compression_ratio_threshold 0: a number above 0"),
        ({"compression_ratio_threshold": nan}, "--compression_ratio_threshold nan"),
        ({"logprob_threshold": 0.5}, "--logprob_threshold 0.5: 0 or less"),
        ({"no_speech_threshold": 60.0}, "--no_speech_threshold 60: a probability"),
    ],
)
def test_senseless_values_are_named(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Guards(**changes)


def test_words_among_the_temperatures_are_named() -> None:
    with pytest.raises(UserError, match="--temperatures '0 hot': numbers"):
        parse_temperatures("0 hot")
