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
from typing import Any

import numpy as np

from sermtl.data.utterance import UNKNOWN

RESAMPLES = 1000
SEED = 0
MIN_SPEAKERS = 10
"""Fewer speakers than this say too little about speakers in general to be drawn from."""

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
        sums = np.zeros((self.count, rows.shape[1]), dtype=rows.dtype)
        np.add.at(sums, self.index, rows)
        return sums


def resampling_units(speakers: Sequence[str], ids: Sequence[str] | None = None) -> Units:
    """Speakers where at least ten are known, else utterances.

    Args:
        speakers: of each answer; an utterance of unknown speaker is a unit of its own.
        ids: utterance of each answer, where several models answer the same one.
    """
    utterances = [(utt_id,) for utt_id in (ids or range(len(speakers)))]  # no speaker's name
    if len(set(speakers) - {UNKNOWN}) < MIN_SPEAKERS:
        name, members = "utterances", utterances
    else:
        pairs = zip(speakers, utterances, strict=True)
        name, members = "speakers", [s if s != UNKNOWN else utterance for s, utterance in pairs]
    order = {unit: number for number, unit in enumerate(dict.fromkeys(members))}
    return Units(name, np.array([order[unit] for unit in members], dtype=np.int64), len(order))


def one_hot_cells(reference: np.ndarray, hypothesis: np.ndarray, num_classes: int) -> np.ndarray:
    """Each utterance's confusion matrix as a row: (N,), (N,) -> (N, C * C) int64."""
    cells = np.zeros((len(reference), num_classes**2), dtype=np.int64)
    cells[np.arange(len(reference)), np.asarray(reference) * num_classes + hypothesis] = 1
    return cells


def resampled_sums(
    rows: np.ndarray, units: Units, resamples: int = RESAMPLES, seed: int = SEED
) -> np.ndarray:
    """Sums of counts over resampled units: (N, K) -> (resamples, K)."""
    # Units with equal counts are interchangeable: how often each *kind* of unit is drawn is
    # multinomial, which for utterances leaves a few dozen kinds to draw instead of thousands.
    sums = units.sums(rows)
    multiplicity = Counter(map(bytes, sums))
    kinds = np.frombuffer(b"".join(multiplicity), sums.dtype).reshape(len(multiplicity), -1)
    shares = np.array(list(multiplicity.values())) / units.count
    drawn = np.random.default_rng(seed).multinomial(units.count, shares, size=resamples)
    # Floating point, exact for counts, because numpy multiplies integers far slower.
    return drawn.astype(np.float64) @ kinds.astype(np.float64)


def interval(
    rows: np.ndarray,
    units: Units,
    statistics: dict[str, Statistic],
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, dict[str, Any]]:
    """Scores with 95 % percentile intervals.

    Args:
        rows: counts of each utterance (N, K).
        units: what is drawn.
        statistics: name -> score of summed counts.

    Returns:
        name -> ``value``, ``low``, ``high`` and ``unit``; the resamples are the same for all.
    """
    total, samples = rows.sum(axis=0), resampled_sums(rows, units, resamples, seed)
    result = {}
    for name, statistic in statistics.items():
        low, high = np.percentile(statistic(samples), [2.5, 97.5])
        value = float(statistic(total))
        result[name] = {"value": value, "low": low.item(), "high": high.item(), "unit": units.name}
    return result


def paired_test(
    first: np.ndarray,
    second: np.ndarray,
    units: Units,
    statistics: dict[str, Statistic],
    resamples: int = 10_000,
    seed: int = SEED,
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
    samples, total = resampled_sums(both, units, resamples, seed), both.sum(axis=0)
    result = {}
    for name, statistic in statistics.items():
        differences = statistic(samples[:, half:]) - statistic(samples[:, :half])
        value = float(statistic(total[half:]) - statistic(total[:half]))
        low, high = np.percentile(differences, [2.5, 97.5])
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
