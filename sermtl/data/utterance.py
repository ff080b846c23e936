"""What is known about one utterance, before and apart from its files."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

UNKNOWN = "<unk>"
"""The label written where nothing is known: never a guess, never a dropped utterance."""


@dataclass(frozen=True)
class Utterance:
    """One stretch of speech and its labels; ``None`` means unknown."""

    id: str
    audio: str  # path of the audio (or video) file
    split: str  # the set it belongs to
    _: KW_ONLY  # so that a further label can stand anywhere
    emotion: str | None = None  # a class of the recipe's inventory
    gender: str | None = None
    speaker: str | None = None
    text: str | None = None
    start: float | None = None  # seconds into the file
    end: float | None = None
    speed: float = 1.0  # it is played this much faster; tempo and pitch change


@dataclass(frozen=True)
class Split:
    """Names of the sets that one training run learns from, selects on and is tested on."""

    train: list[str]
    valid: list[str]
    test: list[str]


@dataclass
class Corpus:
    """What a corpus module found on disk."""

    utterances: list[Utterance]
    folds: dict[str, Split] = field(default_factory=dict)  # fold name -> its sets
    notes: list[str] = field(default_factory=list)  # what the user should know, printed
