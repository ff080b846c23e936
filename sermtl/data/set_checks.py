"""What a set shares with training that it shouldn't, and what training lacks of it.

Both bear on what scores tell, so stage 4 says so before training and stage 7 beside the scores.
"""

from __future__ import annotations

import filecmp
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sermtl.data.datadir import read_column
from sermtl.data.tasks import CLASS_FILES
from sermtl.data.utterance import UNKNOWN


@dataclass(frozen=True)
class Labels:
    """Of a set, or of several as one: by utterance, ``<unk>`` where unknown."""

    speakers: Mapping[str, str]
    emotions: Mapping[str, str]


def read_labels(dumpdir: Path, sets: Sequence[str]) -> Labels:
    """Of dumped sets."""
    columns: list[dict[str, str]] = [{}, {}]
    for name in sets:
        for column, file in zip(columns, ("speaker", "emotion"), strict=True):
            column |= read_column(dumpdir / name / CLASS_FILES[file])
    return Labels(*columns)


def compare_with_training(tested: Labels, training: Labels) -> dict[str, Any]:
    """What is to be known of a set; what is as it should be is absent.

    Returns:
        ``utterances``, the number that are in training, too; ``speakers``, how many are
        (``known``), of how many (``of``), and the number of their ``utterances``; ``emotions``
        that training lacks, with their numbers of utterances; ``only``, the one emotion of all
        utterances.
    """
    found: dict[str, Any] = {}
    if same := len(tested.speakers.keys() & training.speakers.keys()):
        found["utterances"] = same
    speakers = Counter(tested.speakers.values())
    speakers.pop(UNKNOWN, None)
    if known := speakers.keys() & set(training.speakers.values()):
        numbers = {"known": len(known), "of": len(speakers)}
        found["speakers"] = {**numbers, "utterances": sum(speakers[name] for name in known)}
    emotions = Counter(tested.emotions.values())
    emotions.pop(UNKNOWN, None)
    learnt = set(training.emotions.values())
    if lacking := {label: n for label, n in sorted(emotions.items()) if label not in learnt}:
        found["emotions"] = lacking
    if len(emotions) == 1:
        found["only"] = min(emotions)
    return found


def remarks(found: Mapping[str, Any]) -> list[str]:
    """The findings of `compare_with_training` as sentences."""
    said = []
    if n := found.get("utterances"):
        said.append(f"{n} utterances were in training, too: their answers may be known by heart")
    if speakers := found.get("speakers"):
        said.append(
            f"{speakers['known']} of {speakers['of']} speakers ({speakers['utterances']} "
            "utterances) were in training, too: scores on known voices flatter"
        )
    for label, n in found.get("emotions", {}).items():
        said.append(f"training has no {label!r} ({n} utterances here): it can't be learnt")
    if "only" in found:
        said.append(f"every emotion is {found['only']!r}: scores tell nothing of the others")
    return said


def edited_apart(data: Path, dump: Path) -> list[str]:
    """Sentences about label files that were edited in one of a set's two folders only."""
    said = []
    for file in CLASS_FILES.values():
        if (data / file).exists() and not filecmp.cmp(data / file, dump / file, shallow=False):
            both = ((folder / file).read_bytes().splitlines() for folder in (data, dump))
            differ = [k for k, (a, b) in enumerate(zip_longest(*both), 1) if a != b]
            said.append(
                f"{dump / file}:{differ[0]}: {len(differ)} lines differ from {data / file}; those "
                f"of {dump.parent.name} are read"
            )
    return said
