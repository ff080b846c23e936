"""Bootstrap confidence intervals and the paired test between two systems.

Every score here is a function of sums over utterances (confusion matrices, edit counts). So an
utterance or speaker enters as a row of counts, and a resample is a weighted sum of rows.
Utterances of one speaker succeed and fail together, and drawing them one by one gives intervals
that are too narrow: speakers are drawn where there are enough of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from sermtl.data.utterance import UNKNOWN

RESAMPLES = 1000
SEED = 0
BOUNDS = (2.5, 97.5)  # percentiles: 95 % lie between
MIN_SPEAKERS = 10
"""Fewer speakers than this say too little about speakers in general to be drawn from."""

MAX_MULTINOMIAL = 4_000_000  # numbers drawn at most: about half a second
KINDS_AT_ONCE = 64

Statistic = Callable[[np.ndarray], np.ndarray]
"""From sums of counts (..., K) to scores (...)."""


@dataclass(frozen=True)
class Units:
    """What the bootstrap draws with replacement."""

    name: str  # "speakers" or "utterances"
    index: np.ndarray  # (N,) unit of each utterance, 0..count-1
    count: int

    def sums(self, rows: np.ndarray) -> np.ndarray:
        """Counts of utterances (N, K) summed within units: (count, K)."""
        if self.count == len(rows):
            return rows
        return np.stack([np.bincount(self.index, column) for column in rows.T], axis=1)


def resampling_units(speakers: Sequence[str], ids: Sequence[str] | None = None) -> Units:
    """Speakers where at least ten are known, else utterances.

    Args:
        speakers: of each answer; an utterance of unknown speaker is a unit of its own.
        ids: utterance of each answer, where several models answer the same one.
    """
    utterances = ids or range(len(speakers))
    if len(set(speakers) - {UNKNOWN}) < MIN_SPEAKERS:
        name, members = "utterances", utterances
    else:
        pairs = zip(speakers, utterances, strict=True)
        # In a tuple, an utterance's id is no speaker's name.
        name, members = "speakers", [s if s != UNKNOWN else (utt_id,) for s, utt_id in pairs]
    order = {unit: number for number, unit in enumerate(dict.fromkeys(members))}
    index = np.fromiter(map(order.__getitem__, members), np.int64)
    return Units(name, index, len(order))


def one_hot_cells(reference: np.ndarray, hypothesis: np.ndarray, num_classes: int) -> np.ndarray:
    """Each utterance's confusion matrix as a row: (N,), (N,) -> (N, C * C) int8."""
    cells = np.zeros((len(reference), num_classes**2), dtype=np.int8)
    cells[np.arange(len(reference)), np.asarray(reference) * num_classes + hypothesis] = 1
    return cells


def resampled_sums(
    rows: np.ndarray, units: Units, resamples: int = RESAMPLES, seed: int = SEED
) -> np.ndarray:
    """Sums of counts over resampled units: (N, K) -> (resamples, K)."""
    # Units with equal counts are interchangeable: how often each *kind* of unit is drawn is
    # multinomial, which for utterances leaves a few dozen kinds to draw instead of thousands.
    # Sorted, so that the order of utterances and the names of speakers don't matter.
    found = dict(sorted(Counter(map(bytes, sums := units.sums(rows))).items()))
    # Floating point, exact for counts, because numpy multiplies integers far slower.
    kinds = np.frombuffer(b"".join(found), sums.dtype).reshape(len(found), -1).astype(np.float64)
    multiplicity = tuple(found.values())
    if len(kinds) * resamples > MAX_MULTINOMIAL:
        return _poisson_sums(kinds, np.array(multiplicity), resamples, seed)
    return _multinomial(multiplicity, resamples, seed) @ kinds


@lru_cache(maxsize=1)  # where no two speakers are alike, all scores of a set draw the same
def _multinomial(multiplicity: tuple[int, ...], resamples: int, seed: int) -> np.ndarray:
    """How often each kind is drawn, (resamples, K) float64."""
    units = sum(multiplicity)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(units, np.array(multiplicity) / units, size=resamples)
    return drawn.astype(np.float64)


def _poisson_sums(
    kinds: np.ndarray, multiplicity: np.ndarray, resamples: int, seed: int
) -> np.ndarray:
    """As by a multinomial draw, which takes three times as long where there are many kinds.

    Independent Poisson counts are multinomial once their sum is given, so a few too few of them
    and single draws for the rest make a resample of the right size.

    Args:
        kinds: (K, n).
        multiplicity: units of each kind (K,).
    """
    random, units = np.random.default_rng(seed), int(multiplicity.sum())
    kinds = np.column_stack([kinds, np.ones(len(kinds))])  # the last sum is the number drawn
    sums = np.zeros((kinds.shape[1], resamples))
    fewer = 1 - 8 / np.sqrt(units)  # eight standard deviations: too many are never drawn
    for of in np.unique(multiplicity):
        alike, distribution = kinds[multiplicity == of], _poisson_distribution(of * fewer)
        for start in range(0, len(alike), KINDS_AT_ONCE):
            part = alike[start : start + KINDS_AT_ONCE]
            counts = np.searchsorted(distribution, random.random((len(part), resamples)))
            sums += part.T @ counts.astype(np.float64)
    kind_of = np.repeat(np.arange(len(kinds)), multiplicity)
    for i, missing in enumerate(units - sums[-1].astype(np.int64)):
        drawn = kind_of[random.integers(units, size=missing)]
        sums[:, i] += np.bincount(drawn, minlength=len(kinds)) @ kinds
    return sums[:-1].T


def _poisson_distribution(mean: float) -> np.ndarray:
    """Cumulative probabilities of 0, 1, 2, …, to the end of double precision."""
    last = int(mean + 12 * np.sqrt(mean) + 20)
    ratios = np.log(mean / np.arange(1, last + 1))
    return np.cumsum(np.exp(np.concatenate([[0.0], np.cumsum(ratios)]) - mean))


def interval(
    rows: np.ndarray,
    units: Units,
    statistics: dict[str, Statistic],
    resamples: int = RESAMPLES,
) -> dict[str, dict[str, Any]]:
    """Scores with 95 % percentile intervals.

    Args:
        rows: counts of each utterance (N, K).
        units: what is drawn.
        statistics: name -> score of summed counts.

    Returns:
        name -> ``value``, ``low``, ``high`` and ``unit``; the resamples are the same for all.
    """
    total, samples = rows.sum(axis=0), resampled_sums(rows, units, resamples)
    result = {}
    for name, statistic in statistics.items():
        low, high = np.percentile(statistic(samples), BOUNDS)
        value = float(statistic(total))
        result[name] = {"value": value, "low": low.item(), "high": high.item(), "unit": units.name}
    return result


def paired_test(
    first: np.ndarray,
    second: np.ndarray,
    units: Units,
    statistics: dict[str, Statistic],
    resamples: int = 10_000,
) -> dict[str, dict[str, Any]]:
    """Compare two systems on the same utterances by the paired bootstrap.

    Args:
        first, second: counts of each utterance (N, K), in the same order.
        units: what is drawn, for both systems at once.
        statistics: name -> score of summed counts.

    Returns:
        name -> ``difference`` (second minus first: ``value``, ``low``, ``high``, ``unit``) and
        ``p``, two-sided: twice the share of resamples in which the difference has the other sign or
        vanishes, at least 2 / (resamples + 1).

    Raises:
        ValueError: when the systems have different numbers of utterances or counts.
    """
    if first.shape != second.shape:
        raise ValueError(f"paired systems differ in shape: {first.shape} and {second.shape}")
    half = first.shape[1]
    both = np.concatenate([first, second], axis=1)
    samples, total = resampled_sums(both, units, resamples), both.sum(axis=0)
    result = {}
    for name, statistic in statistics.items():
        differences = statistic(samples[:, half:]) - statistic(samples[:, :half])
        value = float(statistic(total[half:]) - statistic(total[:half]))
        low, high = np.percentile(differences, BOUNDS)
        tail = min((differences <= 0).sum(), (differences >= 0).sum())
        result[name] = {
            "difference": {
                "value": value,
                "low": low.item(),
                "high": high.item(),
                "unit": units.name,
            },
            "p": min(1.0, 2 * (1 + tail.item()) / (resamples + 1)),
        }
    return result
