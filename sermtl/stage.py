"""Knowing whether a stage's work is done: same options, same inputs, outputs still there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sermtl.files import atomic_write, sha256

# Larger files (audio archives) are told apart by size and time: hashing them would cost minutes.
HASHED_BYTES = 16 << 20


class Stage:
    """A unit of work with a marker file that records what it was done with.

    Args:
        marker: JSON file written when the work is finished.
        options: what the result depends on besides files (JSON values).
        inputs: files the result depends on.
    """

    def __init__(
        self, marker: str | Path, options: Mapping[str, object], inputs: Iterable[str | Path] = ()
    ) -> None:
        self.marker = Path(marker)
        self.record = {
            "options": json.loads(json.dumps(options, default=str)),
            "inputs": {str(path): _fingerprint(Path(path)) for path in dict.fromkeys(inputs)},
        }

    def is_done(self) -> bool:
        """Whether the marker tells of the same work and every output is as it was left."""
        done = _read(self.marker)
        return all(done.get(key) == value for key, value in self.record.items()) and is_whole(
            self.marker
        )

    def begin(self) -> None:
        """Forget what was done before: until the end, nobody is to take it for whole."""
        self.marker.unlink(missing_ok=True)

    def finish(self, outputs: Iterable[str | Path]) -> None:
        """Record that the work is done and left ``outputs`` behind."""
        sizes = {str(path): _size(Path(path)) for path in outputs}
        with atomic_write(self.marker) as stream:
            json.dump({**self.record, "outputs": sizes}, stream, indent=1)


def is_whole(marker: str | Path) -> bool:
    """Whether work was finished, and all that it left is as large as it was."""
    outputs = _read(Path(marker)).get("outputs")
    return outputs is not None and all(_size(Path(p)) == size for p, size in outputs.items())


def made_from(marker: str | Path, files: Iterable[str | Path]) -> bool:
    """Whether finished work was made from these files, as they are now."""
    inputs = _read(Path(marker)).get("inputs", {})
    return all(inputs.get(str(file)) == _fingerprint(Path(file)) for file in files)


def _read(marker: Path) -> dict[str, Any]:
    """What it tells; nothing if it is missing or damaged."""
    try:
        done = json.loads(marker.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return done if isinstance(done, dict) else {}


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None


def _fingerprint(path: Path) -> str:
    if not path.exists():
        return "missing"
    stat = path.stat()
    if stat.st_size > HASHED_BYTES:
        return f"{stat.st_size} bytes of {stat.st_mtime_ns}"
    return sha256(path)
