"""What a set shares with training that it shouldn't, and what training lacks of it.

Both bear on what scores tell, so stage 4 says so before training and stage 7 beside the scores.
"""

from __future__ import annotations

import filecmp
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sermtl.data.datadir import read_column
from sermtl.data.tasks import CLASS_FILES, CLOSED
from sermtl.data.utterance import UNKNOWN

Labels = Mapping[str, Mapping[str, str]]
"""Of a set, or of several as one, by task and utterance; ``<unk>`` where unknown."""


def read_labels(dumpdir: Path, sets: Sequence[str]) -> Labels:
    """Of dumped sets."""
    return {
        task: {u: v for name in sets for u, v in read_column(dumpdir / name / file).items()}
        for task, file in CLASS_FILES.items()
    }


def compare_with_training(tested: Labels, training: Labels) -> dict[str, Any]:
    """What is to be known of a set; what is as it should be is absent.

    Returns:
        ``utterances``, the number that are in training, too; ``speakers``, how many are
        (``known``), of how many (``of``), and the number of their ``utterances``; ``lacking``,
        labels that training lacks, with their numbers of utterances; ``only``, the one emotion of
        all utterances.
    """
    counts = {task: Counter(column.values()) for task, column in tested.items()}
    for counter in counts.values():
        counter.pop(UNKNOWN, None)
    learnt = {task: set(column.values()) for task, column in training.items()}
    found: dict[str, Any] = {}
    if same := len(tested["speaker"].keys() & training["speaker"].keys()):
        found["utterances"] = same
    speakers = counts["speaker"]
    if known := speakers.keys() & learnt["speaker"]:
        numbers = {"known": len(known), "of": len(speakers)}
        found["speakers"] = {**numbers, "utterances": sum(speakers[name] for name in known)}
    if lacking := {
        label: n
        for task in ("emotion", *CLOSED)
        for label, n in sorted(counts[task].items())
        if label not in learnt[task]
    }:
        found["lacking"] = lacking
    if len(counts["emotion"]) == 1:
        found["only"] = min(counts["emotion"])
    return found


def pooled(findings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What was found of several folds' test sets as of one."""
    total: dict[str, Any] = {}
    for found in findings:
        for key in found.keys() - {"only"}:
            if key == "utterances":
                total[key] = total.get(key, 0) + found[key]
            else:
                total[key] = dict(Counter(total.get(key)) + Counter(found[key]))
    return total


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
    for label, n in found.get("lacking", {}).items():
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
