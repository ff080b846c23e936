"""What a corpus holds against what was published of it: differences are told, never swallowed."""

from __future__ import annotations

from collections.abc import Mapping

from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import UNKNOWN


def differences(found: Mapping[str, int], published: Mapping[str, int], what: str) -> list[str]:
    """Notes on counts that aren't the published ones.

    Args:
        found: clips by name of what is counted.
        published: the same, of one release.
        what: is counted, such as ``"emotion"``.
    """
    names = [*published, *sorted(found.keys() - published.keys())]
    return [
        f"{what} {name} has {found.get(name, 0)} clips, {published.get(name, 0)} are published"
        for name in names
        if found.get(name, 0) != published.get(name, 0)
    ]


def unmapped(labels: LabelInventory, found: Mapping[str, int], what: str = "emotion") -> list[str]:
    """Notes on labels of the corpus, with their numbers of clips, that are no class."""
    return [
        f"{what} {label} has no class in labels.yaml: {n} clips are kept as {UNKNOWN}"
        for label, n in sorted(found.items())
        if labels.map(label) is None
    ]
