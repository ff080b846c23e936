"""Speaker verification: does the model's speaker embedding tell whether two clips share a voice?

Accuracy over training speakers says nothing about unseen ones, so pairs of clips (*trials*) are
compared by the cosine of their embeddings and the equal error rate is taken over all thresholds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sermtl.data.utterance import UNKNOWN
from sermtl.scoring.intervals import BOUNDS, RESAMPLES, SEED, Units

AT_ONCE = 25  # resamples
PAIRS_AT_ONCE = 1024  # trials
MAX_TRIALS = 10_000
"""Same-speaker trials, and as many different-speaker ones, drawn at most."""


def trials(
    speakers: Sequence[str], limit: int = MAX_TRIALS, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A trial list: same-speaker pairs, and equally many different-speaker pairs.

    Pairs are drawn uniformly without repetition; all same-speaker pairs are taken when there are
    no more than ``limit``. Should there be fewer different-speaker pairs, all of those are taken.

    Args:
        speakers: speaker of each utterance; utterances of unknown speaker are in no trial.
        limit: largest number of same-speaker pairs.
        seed: of the draw; the same speakers in the same order give the same list.

    Returns:
        ``first``, ``second`` (T,) indices of utterances, and ``same`` (T,) bool.
    """
    known = [i for i, speaker in enumerate(speakers) if speaker != UNKNOWN]
    utterances = np.array(sorted(known, key=speakers.__getitem__), dtype=np.int64)
    names = [speakers[i] for i in utterances]
    ends = {name: position + 1 for position, name in enumerate(names)}
    position = np.arange(len(names))
    end = np.array([ends[name] for name in names], dtype=np.int64)
    # With utterances sorted by speaker, utterance i meets those of its own speaker in
    # i+1..end[i]-1 and those of others in end[i]..N-1: each pair once, numbered through.
    rng = np.random.default_rng(seed)
    same = _draw(position + 1, end, limit, rng)
    different = _draw(end, np.full_like(end, len(names)), len(same[0]), rng)
    pairs = [np.concatenate(side) for side in zip(same, different, strict=True)]
    is_same = np.arange(len(pairs[0])) < len(same[0])
    return utterances[pairs[0]], utterances[pairs[1]], is_same


def _draw(
    begin: np.ndarray, end: np.ndarray, limit: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """At most ``limit`` of the pairs (i, begin[i]..end[i]-1), uniformly without repetition."""
    bounds = np.concatenate([[0], np.cumsum(end - begin)])
    total = int(bounds[-1])
    if total > limit:
        chosen = np.sort(rng.choice(total, limit, replace=False))
    else:
        chosen = np.arange(total)
    first = np.searchsorted(bounds, chosen, side="right") - 1
    return first, begin[first] + chosen - bounds[first]


def cosine(embeddings: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine of pairs of rows: (N, H), (T,), (T,) -> (T,); 0 with a zero vector."""

    def unit(rows: np.ndarray) -> np.ndarray:
        vectors = embeddings[rows].astype(np.float64)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)

    cosines = np.empty(len(first))
    for start in range(0, len(first), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        np.einsum("th,th->t", unit(first[part]), unit(second[part]), out=cosines[part])
    return cosines


class OperatingPoints:
    """What a verifier accepts at each of its thresholds.

    Args:
        scores: (T,), higher for likelier the same speaker.
        same: (T,) bool, the truth.
    """

    def __init__(self, scores: np.ndarray, same: np.ndarray) -> None:
        order = np.argsort(-scores, kind="stable")
        same = np.asarray(same, dtype=bool)[order]
        # One operating point per distinct score: equal scores are accepted together.
        last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
        self.same, self.different = order[same], order[~same]  # trials, the likeliest first
        self._accepted = [  # (P,), how many of them each point accepts; the first point, none
            np.concatenate([[0], np.cumsum(kind)[last]]) for kind in (same, ~same)
        ]

    def equal_error_rate(self, same: np.ndarray, different: np.ndarray) -> np.ndarray:
        """Where false acceptances and false rejections are equally frequent.

        Args:
            same: (R, 1 + S), a zero and how often each of the trials ``self.same`` counts; summed
                up in place, since new memory would take longer than the sums.
            different: (R, 1 + D), likewise.

        Returns:
            (R,): rates between 0 and 1, on the ROC's straight lines between thresholds; NaN where
            the trials are all of one kind.
        """
        rows = np.arange(len(same))
        counts = [np.cumsum(weights, axis=1, out=weights) for weights in (same, different)]

        def rates(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """False acceptances, and how far false rejections exceed them, at a point per row."""
            with np.errstate(invalid="ignore"):
                found, accepted = (
                    kind[rows, of[points]] / kind[:, -1]
                    for kind, of in zip(counts, self._accepted, strict=True)
                )
            return accepted, (1 - found) - accepted

        # The excess falls from 1 to -1; the rate lies where the line through it crosses 0.
        before, after = np.zeros_like(rows), np.full_like(rows, len(self._accepted[0]) - 1)
        while (after - before > 1).any():
            middle = (before + after) // 2
            crossed = rates(middle)[1] <= 0
            before, after = np.where(crossed, before, middle), np.where(crossed, middle, after)
        (start, above), (end, below) = rates(before), rates(after)
        return start + above / (above - below) * (end - start)


def equal_error_rate(
    scores: np.ndarray, same: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Where false acceptances and false rejections are equally frequent.

    Args:
        scores: (T,), higher for likelier the same speaker.
        same: (T,) bool, the truth.
        weights: (..., T), how often each trial counts; without, once.

    Returns:
        (...): as `OperatingPoints.equal_error_rate`.
    """
    points = OperatingPoints(scores, same)
    weights = np.ones(len(scores)) if weights is None else np.asarray(weights)
    rows = np.pad(weights.reshape(-1, len(scores)), ((0, 0), (1, 0)))
    kinds = (rows[:, np.append(0, 1 + kind)] for kind in (points.same, points.different))
    return points.equal_error_rate(*kinds).reshape(weights.shape[:-1])


@dataclass(frozen=True)
class Trials:
    """The scored pairs of one model's clips."""

    first: np.ndarray  # (T,) indices of utterances
    second: np.ndarray
    same: np.ndarray  # (T,) bool
    cosines: np.ndarray  # (T,)

    @cached_property
    def points(self) -> OperatingPoints:
        """Of these pairs."""
        return OperatingPoints(self.cosines, self.same)

    def error_rate(self, units: Units, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Equal error rate, and the number of same-speaker pairs that it rests on.

        Args:
            units: of the bootstrap.
            draws: (R, units), how often each resample has each unit.

        Returns:
            (R,) and (R,).
        """
        never, once = units.count, units.count + 1  # two more units
        draws = np.pad(draws, ((0, 0), (0, 2)))
        draws[:, once] = 1

        def counts(trials: np.ndarray) -> np.ndarray:
            one, other = units.index[self.first[trials]], units.index[self.second[trials]]
            # A speaker drawn twice brings each of its pairs twice.
            other = np.where(one == other, once, other)
            weights = draws[:, np.append(never, one)]
            weights *= draws[:, np.append(never, other)]
            return weights

        same, different = counts(self.points.same), counts(self.points.different)
        return self.points.equal_error_rate(same, different), same[:, -1]


def pooled_error_rate(models: Sequence[Trials], units: Units) -> dict[str, Any]:
    """The models' equal error rates, each with a threshold of its own, weighted by their pairs.

    Each model has an embedding space of its own, in which the same cosine means something else.

    Returns:
        ``value``, ``low``, ``high`` (95 %, by bootstrap) and ``unit``.
    """

    def mean(draws: np.ndarray) -> np.ndarray:
        rates, pairs = zip(*(trials.error_rate(units, draws) for trials in models), strict=True)
        known = ~np.isnan(rates)  # a resample may leave a model with one speaker
        with np.errstate(invalid="ignore"):
            return (np.where(known, rates, 0) * pairs).sum(0) / (known * pairs).sum(0)

    value = mean(np.ones((1, units.count)))[0]
    random, shares = np.random.default_rng(SEED), np.full(units.count, 1 / units.count)
    parts = [  # some at a time: with 100,000 units, all would be gigabytes
        mean(random.multinomial(units.count, shares, size=AT_ONCE).astype(np.float32))
        for _ in range(RESAMPLES // AT_ONCE)
    ]
    low, high = np.nanpercentile(np.concatenate(parts), BOUNDS)
    return {"value": float(value), "low": low.item(), "high": high.item(), "unit": units.name}


def why_no_trials(speakers: Sequence[str]) -> str | None:
    """The reason why there can be no equal error rate, or ``None`` if there can."""
    counts = Counter(speaker for speaker in speakers if speaker != UNKNOWN)
    enough = sum(count >= 2 for count in counts.values())
    if enough < 2:
        return f"{enough} known speakers with two or more utterances; two are needed"
    return None
