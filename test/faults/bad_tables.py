"""What a fault of a table is: damage to a good state, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Damage = Callable[[Path], object]
"""Changes files in a folder."""


@dataclass(frozen=True)
class Bad:
    """One fault.

    Args:
        name: of the case.
        damage: what is done to the good state.
        told: regular expression of what must be said, in the error or beside the results.
        refused: whether an error ends the work.
        utterances: that must be accounted for in the end; ``None``: as many as before.
    """

    name: str
    damage: Damage
    told: str = ""
    refused: bool = True
    utterances: int | None = None


def noted(name: str, damage: Damage, told: str, utterances: int | None = None) -> Bad:
    """A fault that is worked around, with a note."""
    return Bad(name, damage, told, False, utterances)


def harmless(name: str, damage: Damage) -> Bad:
    """Another way to write the same: the result must be the same, too."""
    return Bad(name, damage, "", False)


def replace(file: str, old: str, new: str) -> Damage:
    """Put a text in the place of another, which must be there."""

    def damage(folder: Path) -> None:
        path = folder / file
        content = path.read_bytes()
        assert old.encode() in content, f"{path} has no {old!r}"
        path.write_bytes(content.replace(old.encode(), new.encode(), 1))

    return damage


def rewrite(file: str, change: Callable[[str], str | bytes]) -> Damage:
    """Make another content of the one that is there."""

    def damage(folder: Path) -> None:
        path = folder / file
        content = change(path.read_text(encoding="utf-8"))
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return damage


def write(file: str, content: str | bytes) -> Damage:
    """Make a new file, or another of the one that is there."""

    def damage(folder: Path) -> None:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return damage


def remove(file: str) -> Damage:
    """Take a file away."""
    return lambda folder: (folder / file).unlink()


def both(*damages: Damage) -> Damage:
    """One after the other."""
    return lambda folder: [damage(folder) for damage in damages]
