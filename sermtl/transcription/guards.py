"""How far to trust a decoded text: the guards and temperatures of whisper's own ``transcribe``.

https://github.com/openai/whisper (MIT licence), ``whisper/transcribe.py``; Radford et al. 2022,
https://arxiv.org/abs/2212.04356.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import NamedTuple

from sermtl.errors import UserError

SPEECH = "speech"
SILENCE = "silence"
REPETITIVE = "repetitive"
IMPROBABLE = "improbable"
FAILED = (REPETITIVE, IMPROBABLE)
"""Verdicts that ask for another temperature, and bar the text from use at the last one."""


class Scores(NamedTuple):
    """What Whisper says about its own text of one window of 30 s."""

    temperature: float
    avg_logprob: float  # mean log-probability per token
    no_speech_prob: float
    compression_ratio: float  # of the text under zlib; high for "no no no no"


def parse_temperatures(text: str) -> tuple[float, ...]:
    """``"0 0.2 0.4"`` as numbers.

    Raises:
        UserError: if a word is no number.
    """
    try:
        return tuple(float(word) for word in text.split())
    except ValueError as error:
        raise UserError(f"--temperatures {text!r}: numbers separated by spaces, please") from error


@dataclass(frozen=True)
class Guards:
    """Thresholds (the options of the same names) and the temperatures to try in turn.

    Raises:
        UserError: for values that make no sense.
    """

    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    compression_ratio_threshold: float = 2.4  # of the text under zlib; inf: any
    logprob_threshold: float = -1.0  # mean per token; -inf: any
    no_speech_threshold: float = 0.6

    def __post_init__(self) -> None:
        steps = (*self.temperatures, inf)
        if steps[0] != 0 or not all(low < high for low, high in pairwise(steps)):
            raise UserError(
                f"--temperatures {' '.join(f'{t:g}' for t in self.temperatures)!r}: "
                "a rising list that starts with 0, please"
            )
        if not self.compression_ratio_threshold > 0:
            raise UserError(
                f"--compression_ratio_threshold {self.compression_ratio_threshold:g}: "
                "a number above 0, please (inf lets every text pass)"
            )
        if not self.logprob_threshold <= 0:
            raise UserError(
                f"--logprob_threshold {self.logprob_threshold:g}: "
                "0 or less, please (-inf lets every text pass)"
            )
        if not 0 <= self.no_speech_threshold <= 1:
            raise UserError(
                f"--no_speech_threshold {self.no_speech_threshold:g}: "
                "a probability from 0 to 1, please"
            )

    def judge(self, scores: Scores) -> str:
        """The verdict on one window's text, by the rules of whisper's ``transcribe``."""
        improbable = scores.avg_logprob < self.logprob_threshold
        if improbable and scores.no_speech_prob > self.no_speech_threshold:
            return SILENCE
        if scores.compression_ratio > self.compression_ratio_threshold:
            return REPETITIVE
        return IMPROBABLE if improbable else SPEECH
