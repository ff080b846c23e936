"""Speed perturbation (Ko et al. 2015): copies of the training sets at other tempos and pitches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sermtl.data.utterance import Utterance
from sermtl.errors import UserError


def parse_factors(text: str) -> list[str]:
    """``"0.9 1.1"`` to its factors, as written; 1.0, the originals, is always there.

    Raises:
        UserError: for what is no factor between 0.5 and 2.
    """
    factors = []
    for word in text.split():
        try:
            value = float(word)
        except ValueError:
            value = 0.0
        if not 0.5 <= value <= 2:
            raise UserError(f"speed_perturb_factors: {word!r} is no factor between 0.5 and 2")
        if value != 1:
            factors.append(word)
    return factors


def perturbed_set(name: str, factor: str) -> str:
    """Name of a set's copy."""
    return f"{name}_sp{factor}"


def original_set(name: str) -> tuple[str, str] | None:
    """The set and the factor that a copy's name tells of; ``None`` for other names."""
    match = re.fullmatch(r"(.+)_sp(\d+\.?\d*)", name)
    return (match[1], match[2]) if match else None


def perturb(utterances: Sequence[Utterance], factors: Sequence[str]) -> list[Utterance]:
    """The copies. Another pitch is another voice, so they have speakers of their own."""
    return [
        replace(
            u,
            id=f"sp{factor}-{u.id}",
            split=perturbed_set(u.split, factor),
            speaker=None if u.speaker is None else f"sp{factor}-{u.speaker}",
            speed=float(factor),
        )
        for factor in factors
        for u in utterances
    ]
