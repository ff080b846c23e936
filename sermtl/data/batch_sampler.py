"""Batches of similar lengths, another set of them every epoch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from espnet2.samplers.abs_sampler import AbsSampler
from typeguard import typechecked

# Utterances are sorted by their lengths times a random factor of at most this or its inverse:
# close enough for little padding, loose enough for batches that differ between epochs.
JITTER = 1.15


class LengthBucketSampler(AbsSampler):
    """Deals every utterance exactly once an epoch into batches of similar length.

    A global batch holds at most ``batch_size`` utterances, and as many as keep each rank's
    padded share within ``max_seconds``; but at least one for each rank, so that all ranks take
    the same number of steps. Where utterances don't go round, one batch of the shortest has up to
    two for each rank instead.

    Args:
        durations: seconds of each utterance, by id.
        batch_size: utterances in a global batch.
        max_seconds: padded seconds of one rank's share; ``None`` for no limit.
        world_size: ranks that share each batch (``batch[rank::world_size]``).
        classes: class of each utterance by id; if given, utterances of a class travel in pairs,
            so that a contrastive loss finds positives for rare classes too.
        shuffle: another composition for each seed; else sorted by length, always the same.

    Raises:
        ValueError: if there are fewer utterances than ranks, ``batch_size`` is smaller, or
            ``max_seconds`` isn't positive.
    """

    @typechecked
    def __init__(
        self,
        durations: Mapping[str, float],
        batch_size: int,
        max_seconds: float | None = None,
        world_size: int = 1,
        classes: Mapping[str, str] | None = None,
        shuffle: bool = True,
    ) -> None:
        if batch_size < world_size:
            raise ValueError(f"batch_size {batch_size} is less than one for each of {world_size}")
        if len(durations) < world_size:
            raise ValueError(f"{len(durations)} utterances can't feed {world_size} processes")
        if max_seconds is not None and not max_seconds > 0:
            raise ValueError(f"max_batch_seconds {max_seconds:g}: must be positive, or null")
        self.durations = dict(durations)
        self.batch_size = batch_size
        self.max_seconds = float("inf") if max_seconds is None else max_seconds
        self.world_size = world_size
        self.classes = classes
        self.shuffle = shuffle
        self._length = len(self.generate(0))

    def generate(self, seed: int) -> list[list[str]]:
        """The global batches of the epoch with this seed."""
        if not self.shuffle:
            return self._batches(sorted(self.durations, key=lambda u: (self.durations[u], u)))
        random = np.random.RandomState(seed % 2**32)
        units = self._units(random)
        factors = JITTER ** random.uniform(-1, 1, len(units))
        keys = [self._longest(unit) * factor for unit, factor in zip(units, factors, strict=True)]
        by_length = sorted(range(len(units)), key=keys.__getitem__)
        batches = self._batches([name for i in by_length for name in units[i]])
        random.shuffle(batches)
        return batches

    def _units(self, random: np.random.RandomState) -> list[Sequence[str]]:
        """What is dealt as one: utterances, or pairs of a class; in random order."""
        names = [str(name) for name in random.permutation(sorted(self.durations))]
        if self.classes is None:
            return [[name] for name in names]
        members: dict[str, list[str]] = defaultdict(list)
        for name in names:
            members[self.classes[name]].append(name)
        pairs = [
            group[start : start + 2]
            for group in members.values()
            for start in range(0, len(group), 2)
        ]
        return [pairs[i] for i in random.permutation(len(pairs))]

    def _longest(self, unit: Sequence[str]) -> float:
        return max(self.durations[name] for name in unit)

    def _batches(self, names: Sequence[str]) -> list[list[str]]:
        """Cut a sequence into batches within both limits, none smaller than the world."""
        batches: list[list[str]] = []
        batch: list[str] = []
        longest = 0.0
        for name in names:
            length = max(longest, self.durations[name])
            share = -(-(len(batch) + 1) // self.world_size)  # rows of the fullest rank
            full = len(batch) == self.batch_size or length * share > self.max_seconds
            if full and len(batch) >= self.world_size:
                batches.append(batch)
                batch, length = [], self.durations[name]
            batch.append(name)
            longest = length
        batches.append(batch)
        # What the last one lacks is handed down from batch to batch. If none can spare it, the
        # first two become one, in which two utterances are the most that a rank has.
        for donor, taker in zip(batches[-2::-1], batches[:0:-1], strict=True):
            while len(taker) < self.world_size:
                taker.insert(0, donor.pop())
        if len(batches[0]) < self.world_size:
            batches[:2] = [batches[0] + batches[1]]
        return batches

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[list[str]]:
        return iter(self.generate(0))


class RankSampler(AbsSampler):
    """One rank's part of a `LengthBucketSampler`'s batches.

    Args:
        batches: makes the global batches.
        rank, world_size: which part of how many.
        deal_rows: ``batch[rank::world_size]`` of every batch (training); else every
            ``world_size``-th batch whole (validation).
    """

    @typechecked
    def __init__(
        self, batches: LengthBucketSampler, rank: int, world_size: int, deal_rows: bool
    ) -> None:
        self.batches, self.rank, self.world_size = batches, rank, world_size
        self.deal_rows = deal_rows

    def generate(self, seed: int) -> list[list[str]]:
        """This rank's batches of the epoch with this seed."""
        batches = self.batches.generate(seed)
        if self.deal_rows:
            return [batch[self.rank :: self.world_size] for batch in batches]
        return batches[self.rank :: self.world_size]

    def __len__(self) -> int:
        return len(self.generate(0))

    def __iter__(self) -> Iterator[list[str]]:
        return iter(self.generate(0))
