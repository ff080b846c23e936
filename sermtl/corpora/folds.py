"""Cross-validation over groups of speakers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sermtl.data.utterance import Split
from sermtl.errors import UserError


def rotating_folds(sets: Sequence[str], present: Iterable[str]) -> dict[str, Split]:
    """Fold k tests the k-th set, validates on the next one and trains on all others.

    Args:
        sets: of disjoint speakers.
        present: the sets that have utterances.

    Raises:
        UserError: if one has none.
    """
    require_sets(sets, present)
    return {
        str(k): Split(
            train=[name for i, name in enumerate(sets) if i not in (k - 1, k % len(sets))],
            valid=[sets[k % len(sets)]],
            test=[sets[k - 1]],
        )
        for k in range(1, len(sets) + 1)
    }


def numbered_folds(count: int, present: Iterable[str]) -> dict[str, Split]:
    """`rotating_folds` over ``fold1`` … ``fold<count>``."""
    return rotating_folds([f"fold{k}" for k in range(1, count + 1)], present)


def require_sets(sets: Iterable[str], present: Iterable[str]) -> None:
    """Refuse a corpus that lacks a set of its folds.

    Raises:
        UserError: naming what is missing.
    """
    if missing := [name for name in sets if name not in set(present)]:
        raise UserError(
            f"the corpus lacks whole folds: it has no utterance, or none with a label, of "
            f"{', '.join(missing)}"
        )
