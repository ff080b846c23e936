"""Train, valid and test for a corpus that comes without: by speakers, seeded, written down."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sermtl.corpora.manifest import read_table
from sermtl.errors import UserError
from sermtl.files import atomic_write

SHARES = {"train": 0.7, "valid": 0.15, "test": 0.15}
SPLITS = list(SHARES)
DRAWS = 500  # random divisions of the speakers, of which the best balanced is taken


@dataclass(frozen=True)
class Item:
    """What dividing a corpus looks at."""

    id: str
    speaker: str | None
    emotion: str | None
    gender: str | None

    @property
    def labels(self) -> tuple[tuple[str, str | None], ...]:
        """What every side should have its share of."""
        return ("emotion", self.emotion), ("gender", self.gender)


def stored_split(
    path: Path, items: Sequence[Item], source: str, seed: int
) -> tuple[dict[str, str], list[str]]:
    """The division that ``path`` holds for this source and seed; else a new one, left there.

    Args:
        path: CSV with the columns ``id,split`` under a comment that names its source.
        items: all utterances.
        source: digest of what the utterances come from; another one asks for a new division.
        seed: of a new division.

    Returns:
        utterance id -> train, valid or test; and notes for the user.

    Raises:
        UserError: if there are too few utterances, or the file was edited into something else.
    """
    heading = f"# of the manifest with sha256 {source} and seed {seed}"
    notes = []
    if path.exists():
        records = list(read_table(path))
        if records and records[0][1] == [heading]:
            return _checked(path, records[2:], items), [f"split: read from {path}"]
        notes.append(f"{path} belonged to another manifest or seed: made anew")
    split, reasons = divide(items, seed)
    with atomic_write(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([[heading], ["id", "split"], *sorted(split.items())])
    return split, [*notes, *reasons, f"split: made with seed {seed} and kept in {path}"]


def divide(items: Sequence[Item], seed: int) -> tuple[dict[str, str], list[str]]:
    """About 70/15/15 % of the utterances, no speaker on two sides, emotions and genders balanced.

    From five speakers on at least two are in test, so that speakers can be verified. Utterances
    of unknown speakers go to training. With fewer than three speakers the utterances are divided
    one by one within each emotion.

    Returns:
        utterance id -> train, valid or test; and notes for the user.

    Raises:
        UserError: if a side would stay empty.
    """
    items = sorted(items, key=lambda item: item.id)
    speakers = {item.speaker for item in items} - {None}
    draw = random.Random(seed)
    if len(speakers) < 3:
        notes = [
            f"split: {len(speakers)} known speakers, so utterances were divided: the same voices "
            "are in training and test, and scores will flatter"
        ]
        split = _by_utterance(items, draw)
    else:
        sides = _by_speaker(items, draw)
        split = {i.id: sides[i.speaker] if i.speaker else "train" for i in items}
        unknown = sum(item.speaker is None for item in items)
        notes = [f"split: {unknown} utterances of unknown speakers went to train"] * bool(unknown)
    if missing := set(SPLITS) - set(split.values()):
        raise UserError(
            f"{len(items)} utterances are too few to divide ({', '.join(sorted(missing))} would "
            "stay empty): add a column `split` to the manifest"
        )
    return split, notes


def _by_speaker(items: Sequence[Item], draw: random.Random) -> dict[str, str]:
    """Speaker -> side: of many random divisions the one whose sides are most alike."""
    speakers = sorted({item.speaker for item in items if item.speaker})
    labels = {label for item in items for label in item.labels}
    row = {speaker: n for n, speaker in enumerate(speakers)}
    column = {label: n for n, label in enumerate(sorted(labels, key=str))}
    counts = np.zeros((len(speakers), len(labels)))  # utterances of each speaker and label
    everything = np.zeros(len(labels))
    sizes = np.zeros(len(speakers))
    for item in items:
        columns = [column[label] for label in item.labels]
        everything[columns] += 1
        if item.speaker:
            counts[row[item.speaker], columns] += 1
            sizes[row[item.speaker]] += 1
    best, best_cost = [], np.inf
    for _ in range(DRAWS):
        order = draw.sample(range(len(speakers)), len(speakers))
        sides = _deal(order, sizes, len(items))
        # Each label weighs the same, however rare: its share on a side is to be the side's own.
        cost = sum(
            np.square(counts[members].sum(axis=0) / everything - SHARES[side]).sum()
            for side, members in sides.items()
            if side != "train"
        )
        if cost < best_cost:
            best, best_cost = sides, cost
    return {speakers[n]: side for side, members in best.items() for n in members}


def _deal(order: Sequence[int], sizes: np.ndarray, total: int) -> dict[str, list[int]]:
    """Speakers in the given order to test, then valid, each to its share; train gets the rest."""
    left = list(order)
    sides = {}
    for side, least in (("test", 2 if len(order) >= 5 else 1), ("valid", 1)):
        members: list[int] = []
        target, held = SHARES[side] * total, 0.0
        reserve = 2 if side == "test" else 1  # speakers the other sides need
        while len(left) > reserve:
            size = sizes[left[-1]]
            if len(members) >= least and held + size - target > target - held:
                break
            members.append(left.pop())
            held += size
        sides[side] = members
    return {**sides, "train": left}


def _by_utterance(items: Sequence[Item], draw: random.Random) -> dict[str, str]:
    """Utterance id -> side, within each emotion; one with fewer than three stays in train."""
    classes = defaultdict(list)
    for item in items:
        classes[item.emotion or ""].append(item.id)
    split = {item.id: "train" for item in items}
    for emotion in sorted(classes):
        ids = draw.sample(classes[emotion], len(classes[emotion]))
        if len(ids) < 3:
            continue
        for side in ("test", "valid"):
            for _ in range(max(1, round(SHARES[side] * len(classes[emotion])))):
                split[ids.pop()] = side
    return split


def _checked(
    path: Path, records: list[tuple[int, list[str]]], items: Sequence[Item]
) -> dict[str, str]:
    """What a file holds, edited by hand or not, if it covers the utterances."""
    advice = "mend it, or remove the file and a new one is made"
    ids = {item.id for item in items}
    split: dict[str, str] = {}
    for line, fields in records:
        if len(fields) != 2 or fields[0] not in ids or fields[1] not in SPLITS:
            raise UserError(
                f"{path}:{line}: not an utterance of the manifest and one of {', '.join(SPLITS)}: "
                f"{advice}"
            )
        if fields[0] in split:
            raise UserError(f"{path}:{line}: {fields[0]} is there twice: {advice}")
        split[fields[0]] = fields[1]
    if missing := sorted(ids - split.keys()):
        raise UserError(f"{path}: {missing[0]} is missing ({len(missing)} in all): {advice}")
    return split
