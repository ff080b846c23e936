"""Speaker verification: does the model's speaker embedding tell whether two clips share a voice?

Accuracy over training speakers says nothing about unseen ones, so pairs of clips (*trials*) are
compared by the cosine of their embeddings and the equal error rate is taken over all thresholds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sermtl.data.utterance import UNKNOWN
from sermtl.scoring.intervals import RESAMPLES, SEED, Units

AT_ONCE = 50  # resamples
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
    utterances = np.array(sorted(known, key=lambda i: (speakers[i], i)), dtype=np.int64)
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
    embeddings = embeddings.astype(np.float64)
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = np.divide(embeddings, norms, out=np.zeros_like(embeddings), where=norms > 0)
    return np.einsum("th,th->t", unit[first], unit[second])


def equal_error_rate(
    scores: np.ndarray, same: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Where false acceptances and false rejections are equally frequent.

    Args:
        scores: (T,), higher for likelier the same speaker.
        same: (T,) bool, the truth.
        weights: (..., T), how often each trial counts; without, once.

    Returns:
        (...): rates between 0 and 1, on the ROC's straight lines between thresholds; NaN where the
        trials are all of one kind.
    """
    order = np.argsort(-scores, kind="stable")
    scores, same = scores[order], np.asarray(same, dtype=bool)[order]
    weights = np.ones(len(order)) if weights is None else np.asarray(weights)[..., order]
    # One operating point per distinct score: equal scores are accepted together.
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)

    def share(kind: np.ndarray) -> np.ndarray:
        counts = np.cumsum(weights * kind, axis=-1)[..., last]
        with np.errstate(invalid="ignore"):
            counts = counts / counts[..., -1:]
        return np.concatenate([np.zeros_like(counts[..., :1]), counts], axis=-1)

    accepted, rejected = share(~same), 1 - share(same)
    # The gap falls from 1 to -1; the rate lies where the line through it crosses 0.
    gap = rejected - accepted
    after = np.maximum(np.argmax(gap <= 0, axis=-1), 1)[..., None]
    above, below = (np.take_along_axis(gap, place, -1) for place in (after - 1, after))
    start, end = (np.take_along_axis(accepted, place, -1) for place in (after - 1, after))
    return (start + above / (above - below) * (end - start))[..., 0]


@dataclass(frozen=True)
class Trials:
    """The scored pairs of one model's clips."""

    first: np.ndarray  # (T,) indices of utterances
    second: np.ndarray
    same: np.ndarray  # (T,) bool
    cosines: np.ndarray  # (T,)

    def error_rate(self, units: Units, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Equal error rate, and the number of same-speaker pairs that it rests on.

        Args:
            units: of the bootstrap.
            draws: (R, units), how often each resample has each unit.

        Returns:
            (R,) and (R,).
        """
        one, other = units.index[self.first], units.index[self.second]
        # A speaker drawn twice brings each of its pairs twice.
        counts = draws[:, one] * np.where(one == other, 1, draws[:, other])
        return equal_error_rate(self.cosines, self.same, counts), counts[:, self.same].sum(1)


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
    low, high = np.nanpercentile(np.concatenate(parts), [2.5, 97.5])
    return {"value": float(value), "low": low.item(), "high": high.item(), "unit": units.name}


def why_no_trials(speakers: Sequence[str]) -> str | None:
    """The reason why there can be no equal error rate, or ``None`` if there can."""
    counts = Counter(speaker for speaker in speakers if speaker != UNKNOWN)
    enough = sum(count >= 2 for count in counts.values())
    if enough < 2:
        return f"{enough} known speakers with two or more utterances; two are needed"
    return None
